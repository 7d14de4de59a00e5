// Command soak lets the real binary live through a simulated month of a busy installation, and looks at whether its memory and its database stay flat once
// retention has begun to work.
//
// It owns the load, the samples and the verdict. It must not reach into a running Neap other than over HTTP and by reading its files. Start reading at main.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// plan is the size of a soak.
type plan struct {
	days    int     // engine days
	rate    float64 // engine seconds per second
	groups  int
	changes float64 // capacity changes per engine hour over all groups
}

func main() {
	var p plan
	flag.IntVar(&p.days, "days", 30, "simulated days")
	flag.Float64Var(&p.rate, "rate", 900, "how many times faster than the wall time runs")
	flag.IntVar(&p.groups, "groups", 40, "groups of about five instances")
	flag.Float64Var(&p.changes, "changes", 60, "capacity changes in an hour, over all groups")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, p); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, p plan) (err error) {
	folder, err := os.MkdirTemp("", "neap-soak-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	neap, err := launch(ctx, folder, p.rate)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, neap.stop()) }()
	groups, err := neap.makeGroups(ctx, p.groups)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	loaded := make(chan int, 1)
	go func() { loaded <- neap.load(ctx, groups, p) }()
	samples, err := neap.watch(ctx, p)
	cancel()
	fmt.Printf("\n%d capacity changes were made, of which %d were refused.\n", neap.asked.Load(), <-loaded)
	if err != nil {
		return err
	}
	return judge(samples)
}

// process is a running Neap.
type process struct {
	*client
	command *exec.Cmd
	data    string
}

// launch builds and starts the real binary on a folder of its own. Retention is short, so that a month shows it at work.
func launch(ctx context.Context, folder string, rate float64) (*process, error) {
	binary := filepath.Join(folder, "neap")
	if out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "./cmd/neap").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(folder, "data")
	command := exec.Command(binary, "up", "--data", data, "--listen", address, "--rate", fmt.Sprint(rate), "--no-demo", "--log-level", "error",
		"--retention-logs", "3", "--retention-decisions", "2", "--retention-ledger", "5")
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		return nil, err
	}
	n := &process{client: &client{base: "http://" + address}, command: command, data: data}
	if err := n.ready(ctx); err != nil {
		return nil, errors.Join(err, n.stop())
	}
	for name, into := range map[string]*string{"admin-token": &n.token, "demo-account": &n.account} {
		text, err := os.ReadFile(filepath.Join(data, name))
		if err != nil {
			return nil, errors.Join(err, n.stop())
		}
		*into = string(text[:len(text)-1])
	}
	return n, nil
}

func (n *process) stop() error {
	if err := n.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- n.command.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(30 * time.Second):
		return errors.Join(errors.New("it does not stop within 30 s"), n.command.Process.Kill())
	}
}
