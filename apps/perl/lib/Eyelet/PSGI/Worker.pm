# A process that serves requests. It takes none while the crew is off duty, and ends with it: both are told by
# pipes that nothing is written to, and that end when the host lets go of them, or is killed.
package Eyelet::PSGI::Worker;
use 5.010;
use strict;
use warnings;

use POSIX ();

our ($app, $listener, $life, $duty, %mode);
my ($pid, $link, $is_over);    # the link of the request that is being served

# Does not return, except by dying.
sub run {
    ($app, $listener, $life, $duty, my $coroutines) = @_;
    $pid = $$;
    return Eyelet::PSGI::Coroutines::run($coroutines + 1) if $coroutines > 1;
    until ($is_over) {
        last if until_readable($listener, $duty) == $duty;
        # If there is nothing to accept, another worker was faster or the server has thought better of it.
        accept my $socket, $listener or next_try() or next;
        my $bits = bits($socket, $life);
        $link = Eyelet::PSGI::Link->new($socket, sub { select_of($bits) });
        $is_over = attend($link);
        undef $link;
    }
    finish();
}

# Not `exit`: what the script does at its end is to be done once, by the crew.
sub finish { POSIX::_exit(0) }

# Gives the last of the handles that can be read.
sub until_readable {
    my $ready = select_of(bits(@_, $life));
    return (grep { vec $ready, fileno $_, 1 } @_)[-1];
}

sub bits {
    my $bits = '';
    vec($bits, fileno $_, 1) = 1 for @_;
    return $bits;
}

# Waits for handles, of which one is the life of this, and gives which can be read.
sub select_of {
    my $ready;
    until (select($ready = $_[0], undef, undef, undef) > 0) { $!{EINTR} or die "select: $!\n" }
    finish() if vec $ready, fileno $life, 1;
    return $ready;
}

sub next_try { $!{EAGAIN} || $!{EINTR} || $!{ECONNABORTED} or die "accept: $!\n"; return }

sub current { return $Coro::current ? $Coro::current->{+__PACKAGE__} // $link : $link }

# The script's `exit`. To be caught as little as the end of the client, it makes all that follows fail.
sub leave {
    my $status = shift;
    CORE::exit($status) if $$ != ($pid // 0);
    my $error = "exit($status) was called";
    if (my $link = current()) {
        $link->drop("$error\n") if $link->{state} ne 'open';
        $link->{gone} //= "$error\n";
    }
    # A coroutine of the app's own; but what EV calls runs in the one that idles.
    elsif ($Coro::current && $Coro::current != $Eyelet::PSGI::Coroutines::idle) {
        Eyelet::PSGI::complain("a coroutine ended: $error");
        Coro::terminate();
    }
    die "$error\n";
}

# Serves one request; true if the app wants this process to end after it, where that is offered.
sub attend {
    my $link = shift;
    my $env;
    if (!eval { $env = Eyelet::PSGI::Request::receive($link, \%mode); serve($link, $env); 1 }) {
        apologize($link, $env, Eyelet::PSGI::one_line($@ || 'died without a word'));
    }
    $link->drop("the request has ended\n");
    delete $link->{inbox};
    return $env && $env->{'psgix.harakiri.commit'};
}

sub apologize {
    my ($link, $env, $error) = @_;
    # That the client leaves is how a stream ends, not a fault; but whatever else the app says then is one.
    my $gone = $link->{state} ne 'ended' && $link->{gone} // '';
    return if $gone =~ /\Agone:/ && index($error, Eyelet::PSGI::one_line($gone)) >= 0;
    my ($method, $path) = $env ? @$env{qw(REQUEST_METHOD PATH_INFO)} : ();
    Eyelet::PSGI::complain(join ' ', $method // 'request', $path // (), "failed: $error");
    return if !$env || $link->{state} ne 'open';
    undef $link->{gone} if $gone =~ /\Aexit/;
    my $sorry = [500, ['Content-Type' => 'text/plain'], ["Internal Server Error\n"]];
    eval { Eyelet::PSGI::Response::deliver($link, $sorry); $link->end };
}

sub serve {
    my ($link, $env) = @_;
    $link->{offered} = $env->{HTTP_SEC_WEBSOCKET_PROTOCOL};
    my $response = $app->($env);
    # After a handshake the app's value means nothing: the messages were its answer.
    if ($link->{state} eq 'open') {
        if (Eyelet::PSGI::Response::is_a($response, 'CODE')) { Eyelet::PSGI::Responder::serve($link, $response) }
        else { Eyelet::PSGI::Response::deliver($link, $response) }
    }
    $link->end;
}

1;
