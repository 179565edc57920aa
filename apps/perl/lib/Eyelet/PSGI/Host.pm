# The process that the server has started.
package Eyelet::PSGI::Host;
use 5.010;
use strict;
use warnings;

use Fcntl ();
use POSIX ();
use Time::HiRes ();

use constant LOOK_S => 1;    # from one look at the script's files to the next
BEGIN { *now = \&Eyelet::PSGI::Process::now }

# Runs until it is told to end, or nobody serves and the script cannot be loaded. Gives the exit status.
sub run {
    my $self = { task => shift, crews => {}, stamps => {} };
    my ($is_told, $is_wanted, $look, $pause, $resume) = (0, 1, 0, 0, 0);
    my $told = sub { $is_told = 1 };
    Eyelet::PSGI::Process::catch_signals(TERM => $told, INT => $told, HUP => sub { ($is_wanted, $resume) = (1, 0) });
    until ($is_told) {
        listen_to($self, $_) for values %{ $self->{crews} };
        while ((my $pid = waitpid -1, POSIX::WNOHANG()) > 0) {
            my $crew = $self->{crews}{$pid} or next;
            my $cause = Eyelet::PSGI::Process::cause();
            listen_to($self, $crew);
            delete $self->{crews}{$pid};
            if ($crew->{state} eq 'loading') {
                my $serving = grep { $_->{state} eq 'serving' } values %{ $self->{crews} };
                my $why = $crew->{why} // "it ended by itself: $cause";
                $why .= '; the one before goes on' if $serving;
                Eyelet::PSGI::complain("failed to load `$self->{task}{file}`: $why");
                return finish($self, 2) if !$serving && !$is_wanted;
            }
            elsif ($crew->{state} eq 'serving') {
                Eyelet::PSGI::complain("crew $pid ended: $cause");
                $pause = Eyelet::PSGI::Process::pause_after($pause, now() - $crew->{born});
                ($is_wanted, $resume) = (1, now() + $pause);
            }
        }
        if ($self->{task}{'reload-on-change'} && now() >= $look) {
            ($is_wanted, $resume) = (1, 0) if is_changed($self);
            $look = now() + LOOK_S;
        }
        if ($is_wanted && now() >= $resume) {
            $is_wanted = 0;
            start($self) or ($is_wanted, $resume) = (1, now() + Eyelet::PSGI::Process::MAX_PAUSE_S());
        }
        my @times = (($resume) x $is_wanted, ($look) x $self->{task}{'reload-on-change'});
        my ($next) = sort { $a <=> $b } @times;
        Eyelet::PSGI::Process::wait_for_signal(defined $next ? $next - now() : undef);
    }
    return finish($self, 0);
}

# Ends all crews, by signal and by their pipes.
sub finish {
    my ($self, $status) = @_;
    my @pids = keys %{ $self->{crews} };
    kill TERM => @pids;
    $self->{crews} = {};
    waitpid $_, 0 for @pids;
    return $status;
}

# Starts a crew; true if there is one. Whoever is still loading what was there before is not waited for.
sub start {
    my $self = shift;
    for my $crew (grep { $_->{state} eq 'loading' } values %{ $self->{crews} }) {
        @$crew{qw(state life)} = ('leaving');
    }
    # Before it is read: what is written meanwhile is a change.
    $self->{stamps}{$_} = stamp($_) // '' for keys %{ $self->{stamps} };
    my %crew = (state => 'loading', heard => '', born => now());
    pipe my $life, $crew{life} and pipe my $duty, $crew{duty} and pipe $crew{report}, my $report
        and defined(my $pid = fork) or return Eyelet::PSGI::complain("the script cannot be loaded: $!"), 0;
    if ($pid) {
        $self->{crews}{$pid} = \%crew;
        Eyelet::PSGI::Process::signal_about($crew{report}, Fcntl::O_NONBLOCK());
        return 1;
    }
    (%{ $self->{crews} }, %crew) = ();    # else the pipes would not end with the host
    Eyelet::PSGI::Crew::run($self->{task}, $life, $duty, $report);
}

# Takes in what a crew says of loading. One that can serve takes the place of those before it.
sub listen_to {
    my ($self, $crew) = @_;
    return if $crew->{state} ne 'loading' || defined $crew->{why};
    while (sysread $crew->{report}, $crew->{heard}, 64 << 10, length $crew->{heard}) { }
    $crew->{heard} =~ /\0\0\z/ or return;
    my ($why, @files) = split /\0/, delete $crew->{heard};
    my $known = $self->{stamps};
    my %stamps = map { $_ => $known->{$_} // stamp($_) // '' } @files;
    if ($why ne 'loaded') {
        $self->{stamps} = { %$known, %stamps };
        $crew->{why} = $why;
        return;
    }
    $self->{stamps} = \%stamps;
    my @before = grep { $_->{state} eq 'serving' } values %{ $self->{crews} };
    @$_{qw(state duty)} = ('leaving') for @before;
    $crew->{state} = 'serving';
    Eyelet::PSGI::complain("loaded `$self->{task}{file}` anew") if @before;
}

# A file that is not there is about to be, as editors write.
sub is_changed {
    my $stamps = $_[0]{stamps};
    return grep { (stamp($_) // $stamps->{$_}) ne $stamps->{$_} } keys %$stamps;
}

sub stamp { return join ' ', (Time::HiRes::stat($_[0]))[0, 1, 7, 9] if -e $_[0]; return undef }

1;
