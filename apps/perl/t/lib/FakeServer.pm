# The server's side of the app protocol, for tests: starts the host, sends requests, answers verbs.
#
# Nothing here sleeps. What never comes is ended by the alarm that each test file sets by `use FakeServer`.
package FakeServer;

use strict;
use warnings;

use Fcntl ();
use File::Basename qw(dirname);
use File::Spec ();
use File::Temp ();
use IO::Handle ();
use IO::Socket::UNIX ();
use POSIX ();

use constant DEADLINE_S => 60;

my $host = File::Spec->rel2abs(dirname(__FILE__) . '/../../eyelet-psgi');

sub import {
    $SIG{ALRM} = sub { die 'nothing happened for ' . DEADLINE_S . " s\n" };
    $SIG{PIPE} = 'IGNORE';
    alarm DEADLINE_S;
}

# Starts the host with a script's text. Options: `processes`, `coroutines`, `drain`, and `reload-on-change` for the
# host; `file`, a path to give instead of the script's; `run`, a code reference that the child calls before it becomes
# the host; `args`, the whole command line after the host.
sub start {
    my ($class, $text, %option) = @_;
    my $dir = File::Temp->newdir;
    my $self = bless { dir => $dir, script => "$dir/app.pl", socket => "$dir/app.sock" }, $class;
    $self->write_script($text);
    my $listener = IO::Socket::UNIX->new(Local => $self->{socket}, Listen => 64) or die "$self->{socket}: $!";
    pipe my $log, my $log_end or die $!;
    @$self{qw(log pid)} = ($log, fork // die $!);
    return $self if $self->{pid};
    POSIX::dup2(fileno $log_end, 2);
    if (fileno $listener == 3) { fcntl $listener, Fcntl::F_SETFD(), 0 }
    else { POSIX::dup2(fileno $listener, 3) }
    @ENV{qw(LISTEN_FDS LISTEN_PID)} = (1, $$);
    $option{run}->($self) if $option{run};
    my @args = map { ("--$_", $option{$_}) } grep { $option{$_} } qw(processes coroutines drain);
    push @args, '--reload-on-change' if $option{'reload-on-change'};
    push @args, $option{file} // $self->{script};
    @args = @{ $option{args} } if $option{args};
    { exec $^X, $option{host} // $host, @args }
    POSIX::_exit(127);
}

sub host { return $host }

# Puts another text in the place of the script's at once, as editors do; or of another file in its folder.
sub write_script {
    my ($self, $text, $name) = @_;
    open my $file, '>', "$self->{dir}/new" or die $!;
    print {$file} $text;
    close $file or die $!;
    rename "$self->{dir}/new", "$self->{dir}/" . ($name // 'app.pl') or die $!;
}

# Sends a request and gives its link. Options: `body`, which makes it a POST; and any variables.
sub request {
    my ($self, $path, %option) = @_;
    my $body = delete $option{body} // '';
    my %vars = (
        REQUEST_METHOD => length $body ? 'POST' : 'GET', SCRIPT_NAME => '', PATH_INFO => $path, QUERY_STRING => '',
        SERVER_NAME => 'localhost', SERVER_PORT => 9090, SERVER_PROTOCOL => 'HTTP/1.1', REQUEST_URI => $path, %option,
    );
    my $netstring = join '', map { "$_\0" } CONTENT_LENGTH => length $body, SCGI => 1, %vars;
    return $self->raw(length($netstring) . ":$netstring,$body");
}

# Sends these bytes as a request.
sub raw {
    my ($self, $bytes) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => $self->{socket}) or die "connect: $!";
    my $link = bless { socket => $socket }, 'FakeServer::Link';
    $link->put($bytes);
    return $link;
}

# The next line of the host's standard error; nothing if all its processes have ended.
sub log_line {
    my $line = readline $_[0]{log};
    chomp $line if defined $line;
    return $line;
}

# All that is left of it. Returns when the host and all its workers have ended.
sub log_rest {
    my ($self, @lines) = @_;
    while (defined(my $line = $self->log_line)) { push @lines, $line }
    return @lines;
}

# Waits for the host's own end and gives its wait status.
sub wait_status {
    my $self = shift;
    waitpid delete $self->{pid}, 0;
    return $?;
}

# Ends the host; gives what it still had to say.
sub stop {
    my $self = shift;
    kill TERM => $self->{pid};
    my @rest = $self->log_rest;
    $self->wait_status;
    return @rest;
}

# Process ids of the crews: those that serve or load, and those that finish.
sub crews { return children_of($_[0]{pid}) }

# Process ids of the workers of all crews.
sub workers { return map { children_of($_) } $_[0]->crews }

sub children_of {
    my $wanted = shift;
    my @children;
    for my $stat (glob '/proc/[0-9]*/stat') {
        open my $file, '<', $stat or next;    # it has ended meanwhile
        my ($pid, $state, $parent) = (readline($file) // '') =~ /\A(\d+) \(.*\) (\S) (\d+)/s or next;
        push @children, $pid if $parent == $wanted && $state ne 'Z';
    }
    return @children;
}

sub DESTROY {
    my $self = shift;
    kill KILL => $self->{pid} if $self->{pid};
}

package FakeServer::Link;

sub put {
    my ($self, $bytes) = @_;
    local $\;
    my $done = 0;
    while ($done < length $bytes) { $done += syswrite($self->{socket}, $bytes, length($bytes) - $done, $done) // return }
}

# The next verb with its payload, as `[LINE, PAYLOAD]`; nothing when the app has hung up.
sub verb {
    my $self = shift;
    my $line = readline $self->{socket};
    return if !defined $line;
    chomp $line;
    my ($len) = $line =~ /\A(?:head|body|send [12]|write \S+ \d+|close \d+) (\d+)\z/ or return [$line];
    read($self->{socket}, my $payload, $len) == $len or die "`$line` lacks its payload";
    return [$line, $payload];
}

sub answer { $_[0]->put("$_[1]\n") }

# Answers `ok` to all verbs and gives them.
sub obey {
    my ($self, @verbs) = @_;
    while (my $verb = $self->verb) {
        push @verbs, $verb;
        $self->answer('ok') if $verb->[0] ne 'end';
    }
    return @verbs;
}

# Obeys to the end; gives the head, the body joined, and whether the app said `end`.
sub response {
    my ($head, @verbs) = $_[0]->obey;
    my $is_ended = @verbs > 0 && $verbs[-1][0] eq 'end';
    return ($head->[1], join('', map { $_->[1] // '' } @verbs), $is_ended);
}

sub hang_up { close delete $_[0]{socket} }

1;
