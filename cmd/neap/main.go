// Command neap keeps workloads running on the cheapest capacity that is safe for them: a server with `neap up`, a client otherwise.
//
// It owns nothing: internal/cli reads the command line, internal/app does what a client cannot.
package main

import (
	"os"

	"github.com/neap-cloud/neap/internal/cli"
)

func main() { os.Exit(cli.Main(cli.Hooks{})) }
