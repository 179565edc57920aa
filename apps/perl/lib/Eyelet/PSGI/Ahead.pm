# What a stream does for each frame, at the price of one round trip: a send does not wait for its answer, and takes along
# the wait that followed the last one. The server then answers both at once, when the next frame is there.
#
# The link has: `owed`, what the send was for whose answer has not been read; `ahead`, the wait that went with it;
# `habit`, the wait that is to go with the next; `proven`, the send that has gone well; `early`, the area and the
# sequence that came of a wait which the script did not ask for.
package Eyelet::PSGI::Ahead;
use 5.010;
use strict;
use warnings;

our @CARP_NOT = qw(uwsgi Eyelet::PSGI::Link);    # what fails is named by the line in the app

# Asks for a send. The first of its kind is awaited, so that a mistake in the script is told where it was made; what may
# come later, as a picture that has become smaller, is told by the call behind.
sub send_area {
    my ($link, $purpose, $verb) = @_;
    if (defined $link->{owed} || ($link->{proven} // '') ne $verb || defined $link->{early} || defined $link->{gone}) {
        $link->call($purpose, $verb);
        $link->{proven} = $verb;
        return;
    }
    my $habit = $link->{habit};
    $link->put(defined $habit ? "$verb\n$habit\n" : "$verb\n") or $link->failed($purpose, $link->{gone});
    @$link{qw(owed ahead)} = ($purpose, $habit);
    return;
}

# Waits for a frame and gives its sequence.
sub wait_for_frame {
    my ($link, $purpose, $verb) = @_;
    # In a stream both answers come in one piece.
    if (defined $link->{ahead} && $link->{ahead} eq $verb && $link->{input} eq '') {
        $link->{wait}->($link->{socket}, Eyelet::PSGI::Link::READABLE);
        # The links have one string for this: nobody else runs until it is taken.
        state $part = '';
        if (sysread $link->{socket}, $part, 4096) {
            if ($part =~ /\Aok[^\n]*\nok ([0-9]+)\n\z/) {
                @$link{qw(owed ahead)} = ();
                return $1;
            }
            $link->{input} = $part;
        }
    }
    return $link->call($purpose, $verb);
}

# Asks for a wait unless that has been done; its answer is the next to be read. Or gives the sequence that it came to
# before.
sub begin_wait {
    my ($link, $verb, $area) = @_;
    recall($link) if defined $link->{ahead} && $link->{ahead} ne $verb;
    my $early = $link->{early};
    if ($early && $early->[0] eq $area) {
        undef $link->{early};
        return $early->[1];
    }
    die $link->{gone} if defined $link->{gone};
    my $is_ahead = defined $link->{ahead};
    undef $link->{ahead};
    $is_ahead || $link->put("$verb\n") or die $link->{gone};
    return if !defined $link->{owed};
    # One with a time limit begins when the script says.
    $link->{habit} = $verb =~ / 0\z/ ? $verb : undef;
    my $error = settle($link) // return;
    $link->put("stop\n") and eval { local $SIG{__DIE__}; $link->answer('wait') };
    die $error;
}

# Before any other verb: reads what is owed, and takes back the wait.
sub recall {
    my $link = shift;
    return if !defined $link->{owed};
    my $ahead = $link->{ahead};
    @$link{qw(ahead habit)} = ();
    $link->put("stop\n") if defined $ahead;
    my $error = settle($link);
    if (defined $ahead) {
        my ($area) = $ahead =~ /\A\S+ (\S+)/;
        # It may have ended before it was stopped. What else it says, the next one will say.
        my ($sequence) = eval { local $SIG{__DIE__}; $link->answer('wait') };
        $link->{early} = [$area, $sequence] if defined $sequence;
    }
    die $error if defined $error;
}

# Reads the answer of the send, and gives what it failed of.
sub settle {
    my $link = shift;
    my $purpose = $link->{owed};
    undef $link->{owed};
    return if eval { local $SIG{__DIE__}; $link->answer('send-area'); 1 };
    undef $link->{proven};
    return defined $link->{gone} ? $link->{gone} : "before this, unable to $purpose: $@";
}

1;
