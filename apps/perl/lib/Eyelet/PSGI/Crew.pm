# The process that has loaded the script, and sees to it that there are enough workers.
package Eyelet::PSGI::Crew;
use 5.010;
use strict;
use warnings;

use File::Basename ();
use File::Spec ();
use POSIX ();

use constant KILL_S => 5;    # from asking a worker to end to making it
BEGIN { *now = \&Eyelet::PSGI::Process::now }

# Runs until it is told to end. Says by `$report` what came of loading; does not return.
sub run {
    my ($task, $life, $duty, $report) = @_;
    # While the script is being loaded there is no handler: if the host dies then, so does this.
    Eyelet::PSGI::Process::signal_about($life);
    Eyelet::PSGI::Process::release_signals();
    my $app = eval { Eyelet::PSGI::load($task->{file}) };
    my $error = $app ? '' : Eyelet::PSGI::one_line($@ || 'died without a word');
    local ($,, $\);
    print {$report} map { "$_\0" } $app ? 'loaded' : $error, sources($task->{file}), '';
    close $report;
    CORE::exit(2) if !$app;
    my ($is_told, $resume, $pause, $limit, %born) = (0, 0, 0);
    Eyelet::PSGI::Process::catch_signals(map { $_ => sub { $is_told = 1 } } qw(TERM INT));
    Eyelet::PSGI::Process::signal_about($duty);
    until ($is_told || Eyelet::PSGI::Process::is_readable($life)) {
        # Before the dead are counted, as workers end when they are off duty.
        $limit //= now() + $task->{drain} if Eyelet::PSGI::Process::is_readable($duty);
        while ((my $pid = waitpid -1, POSIX::WNOHANG()) > 0) {
            # Children that the script itself has started are not counted; who ends well was asked to.
            my $age = now() - (delete $born{$pid} // next);
            next if $? == 0;
            Eyelet::PSGI::complain("worker $pid ended: " . Eyelet::PSGI::Process::cause());
            $pause = Eyelet::PSGI::Process::pause_after($pause, $age);
            $resume = now() + $pause;
        }
        if (defined $limit) {
            last if !%born || now() >= $limit;
            Eyelet::PSGI::Process::wait_for_signal($limit - now());
            next;
        }
        while (keys %born < $task->{workers} && now() >= $resume) {
            my $pid = fork;
            if ($pid) { $born{$pid} = now() }
            elsif (defined $pid) { become_worker($app, $task->{listener}, $life, $duty, $task->{coroutines}) }
            else {
                Eyelet::PSGI::complain("no worker could be started: $!");
                $resume = now() + Eyelet::PSGI::Process::MAX_PAUSE_S();
            }
        }
        Eyelet::PSGI::Process::wait_for_signal(keys %born < $task->{workers} ? $resume - now() : undef);
    }
    end(keys %born);
}

# A worker whose script catches the signal is killed.
sub end {
    my %left = map { $_ => 1 } @_;
    kill TERM => keys %left;
    my $limit = now() + KILL_S;
    for (;;) {
        delete $left{$_} for grep { waitpid($_, POSIX::WNOHANG()) != 0 } keys %left;
        last if !%left;
        if (now() >= $limit) { kill KILL => keys %left }
        Eyelet::PSGI::Process::wait_for_signal(now() >= $limit ? 1 : $limit - now());
    }
    CORE::exit(0);
}

sub become_worker {
    Eyelet::PSGI::Process::release_signals();
    # That a terminal is closed is the host's affair. A write to a link that is gone shall fail, not kill. Unlike
    # 'IGNORE' this is not passed on to the programs that the app starts.
    @SIG{qw(HUP PIPE)} = (sub { }) x 2;
    # Else all workers would draw the same numbers, and share one epoll with what each adds to it.
    srand;
    eval {
        EV::default_loop()->loop_fork if $INC{'EV.pm'};
        Eyelet::PSGI::Worker::run(@_);
    };
    Eyelet::PSGI::complain("worker failed: $@");
    POSIX::_exit(1);
}

# The script, and what it has loaded from its folder.
sub sources {
    my $file = shift;
    my $folder = File::Basename::dirname($file) . '/';
    my %is_source = map { $_ => 1 } grep { index($_, $folder) == 0 && !/\0/ }
        map { File::Spec->rel2abs($_) } grep { defined && !ref } values %INC;
    return sort keys %{ { %is_source, $file => 1 } };
}

1;
