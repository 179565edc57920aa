# Processes and their signals: these arrive only inside `wait_for_signal`, so none is lost between a look and the
# wait. That a pipe ends or has something is a signal too.
package Eyelet::PSGI::Process;
use 5.010;
use strict;
use warnings;

use Fcntl ();
use POSIX ();
use Time::HiRes ();

# One that dies young is followed by the next one only after a pause, which doubles.
use constant { YOUNG_S => 1, MIN_PAUSE_S => 0.1, MAX_PAUSE_S => 5 };
my @caught = qw(TERM INT HUP CHLD ALRM IO);
my ($none, $all, $usual) = map { POSIX::SigSet->new } 1 .. 3;
$all->fillset;
POSIX::sigprocmask(POSIX::SIG_BLOCK(), $none, $usual);

# EV has a handler of its own for children, whose doing is enough here, and which its users need in the workers.
sub set_handlers {
    my %handler = @_;
    for (@caught) { $SIG{$_} = $handler{$_} unless $_ eq 'CHLD' && $INC{'EV.pm'} }
}

sub catch_signals {
    POSIX::sigprocmask(POSIX::SIG_SETMASK(), $all);
    set_handlers((map { $_ => sub { } } @caught), @_);
}

# For a child that goes its own way.
sub release_signals {
    set_handlers(map { $_ => 'DEFAULT' } @caught);
    POSIX::sigprocmask(POSIX::SIG_SETMASK(), $usual);
}

# Returns after at least one signal, or so many seconds.
sub wait_for_signal {
    my $rest = shift;
    # Zero would mean never.
    Time::HiRes::alarm($rest > 0.001 ? $rest : 0.001) if defined $rest;
    POSIX::sigsuspend($none);
    Time::HiRes::alarm(0);
}

# From now on this process gets SIGIO for this handle, which kills it where that is not caught.
sub signal_about {
    my ($handle, $flags) = @_;
    fcntl $handle, Fcntl::F_SETOWN(), $$ + 0 or die "fcntl: $!\n";
    my $old = fcntl($handle, Fcntl::F_GETFL(), 0) or die "fcntl: $!\n";
    fcntl $handle, Fcntl::F_SETFL(), $old | Fcntl::O_ASYNC() | ($flags // 0) or die "fcntl: $!\n";
}

sub is_readable {
    my $ready = '';
    vec($ready, fileno $_[0], 1) = 1;
    return select($ready, undef, undef, 0) > 0;
}

# Gives the pause before the next start.
sub pause_after {
    my ($pause, $age) = @_;
    return $age >= YOUNG_S ? 0 : $pause > MAX_PAUSE_S / 2 ? MAX_PAUSE_S : $pause * 2 || MIN_PAUSE_S;
}

sub cause { return sprintf 'signal %d, status %d', $? & 127, $? >> 8 }

sub now { return Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()) }

1;
