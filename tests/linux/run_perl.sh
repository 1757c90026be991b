#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 900
#
# run_perl.sh - perl: a hash, sorting, regular expressions, pipes to children, fork, sockets.
. "$(dirname "$0")/run_common.sh"
needs perl

cat >work.pl <<'END'
use strict;
use warnings;
use Digest::MD5 'md5_hex';
use Socket;
my $n = shift;
my %table = map { ("key $_" => "value " . $_ * $_) } 1 .. $n;
delete $table{"key " . $_ * 5} for 1 .. $n / 5;
my @keys = sort { substr($a, 4) <=> substr($b, 4) } keys %table;
print scalar(@keys), " ", md5_hex(join(",", map { $table{$_} } @keys)), "\n";
my $text = join("\n", @keys);
my $sevens = () = $text =~ /7(?=\d*$)/mg;
$text =~ s/(\d+)$/$1 + 1/gme;
print "$sevens ", md5_hex($text), "\n";
open(my $pipe, '|-', 'sort -n | md5sum') or die;
print $pipe "$text\n";
close($pipe) or die;
socketpair(my $here, my $there, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
my $pid = fork() // die;
if ($pid == 0) {
	close($here);
	$table{$_} .= "!" for @keys;
	print $there map { $table{$_} } @keys;
	close($there);
	exit 3;
}
close($there);
local $/;
print md5_hex(scalar <$here>), "\n";
waitpid($pid, 0);
print $? >> 8, " ", md5_hex(join(",", map { $table{$_} } @keys)), "\n";
END
n=$(sized 100000 15000)
PERL_HASH_SEED=1 PERL_PERTURB_KEYS=0
export PERL_HASH_SEED PERL_PERTURB_KEYS
measure perl work.pl "$n"

work() {
	paged "$(sized 16M 3M)" perl work.pl "$n"
	moved 1000 1000
	same "$out" "$plain"
}
in_modes work
