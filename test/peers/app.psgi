# What a PSGI server serves in the tests.
my $body = "hello from Perl\n";
sub { [200, ['x-served-by' => getppid(), 'Content-Length' => length $body], [$body]] };
