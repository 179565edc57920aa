# The same with many requests at a time. A coroutine that waits costs little as long as only Perl code lies beneath
# it: a callback of a C function would pin a C stack.
package Eyelet::PSGI::Coroutines;
use 5.010;
use strict;
use warnings;

use Scalar::Util ();

use constant FULL_S => 0.1;    # from one look for a free descriptor to the next
our $idle;                     # the coroutine of EV's loop

sub is_possible {
    local $SIG{__DIE__};
    return eval { require Coro; require Coro::Channel; require Coro::Semaphore; require EV; require Coro::EV; 1 };
}

# Does not return, except by dying.
sub run {
    my $count = shift;
    my $free = Coro::Semaphore->new($count);
    { no warnings 'once'; $idle = $Coro::idle // 0 }
    my ($main, $is_over) = $Coro::current;
    my $arrival = EV::io_ns($Eyelet::PSGI::Worker::listener, EV::READ(), sub { $main->ready });
    my @ends = (
        EV::io($Eyelet::PSGI::Worker::life, EV::READ(), \&Eyelet::PSGI::Worker::finish),
        EV::io($Eyelet::PSGI::Worker::duty, EV::READ(), sub { $is_over = 1; $_[0]->stop; $main->ready }),
    );
    my $attend = sub {
        my $link = Eyelet::PSGI::Link->new(shift, \&Coro::EV::timed_io_once);
        $Coro::current->{'Eyelet::PSGI::Worker'} = $link;
        Scalar::Util::weaken($link->{coroutine} = $Coro::current);
        # However this ends. In a child of the app that exits, these may be gone before.
        $Coro::current->on_destroy(sub { $link and $link->drop("the request has ended\n"); $free and $free->up });
        Eyelet::PSGI::Worker::attend($link);
    };
    for (;;) {
        $free->down;    # who is full does not look for more
        last if $is_over;
        $arrival->start;
        Coro::schedule();
        $arrival->stop;
        last if $is_over;
        if (accept my $socket, $Eyelet::PSGI::Worker::listener) {
            $socket->blocking(0);
            Coro::async(\&$attend, $socket);
            next;
        }
        # Without a descriptor left it is full, though it may take more in theory.
        if ($!{EMFILE} || $!{ENFILE}) { Coro::EV::timer_once(FULL_S) }
        else { Eyelet::PSGI::Worker::next_try() }
        $free->up;
    }
    $free->down for 2 .. $count;    # one is had already
    Eyelet::PSGI::Worker::finish();
}

1;
