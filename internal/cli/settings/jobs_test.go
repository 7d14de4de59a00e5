package settings

import (
	"testing"

	"github.com/spf13/pflag"
)

func TestCommandsOfTheMachineAreForJobsOnlyWhileNobodyElseCanReachNeap(t *testing.T) {
	for _, c := range []struct {
		args []string
		want bool
	}{
		{nil, true},
		{[]string{"--listen", "localhost:80"}, true},
		{[]string{"--listen", "[::1]:8080"}, true},
		{[]string{"--listen", "0.0.0.0:8080"}, false},
		{[]string{"--listen", ":8080"}, false},
		{[]string{"--listen", "10.0.0.1:8080"}, false},
		{[]string{"--launch-listen", "10.0.0.1:8081"}, false},
		{[]string{"--public-url", "https://neap.example.com"}, false},
		{[]string{"--host-jobs=false"}, false},
	} {
		var up Up
		flags := pflag.NewFlagSet("up", pflag.ContinueOnError)
		up.Bind(flags)
		if err := flags.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		if got := up.HostJobs(); got != c.want {
			t.Errorf("%q: %v", c.args, got)
		}
	}
}
