// Command neap keeps workloads running on the cheapest capacity that is safe for them: a server with `neap up`, a client otherwise.
//
// It owns nothing: internal/cli reads the command line, internal/app does what a client cannot.
package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/neap-cloud/neap/internal/app"
	"github.com/neap-cloud/neap/internal/cli"
)

// version is set by the release build.
var version = "dev"

func main() {
	if is, code := app.Supervise(os.Args); is { // Neap runs itself so, beside each task
		os.Exit(code)
	}
	os.Exit(cli.Main(cli.Hooks{
		Version:    version,
		Operations: operations,
		Up: func(ctx context.Context, c cli.UpConfig) error {
			return app.Up(ctx, config(c), c.Listen, os.Stdout)
		},
		ResetToken: func(ctx context.Context, c cli.UpConfig) (string, error) {
			return app.ResetToken(ctx, config(c))
		},
		RotateKey: func(ctx context.Context, c cli.UpConfig) error {
			return app.RotateKey(ctx, config(c), c.NextKey)
		},
		Backup: func(ctx context.Context, c cli.UpConfig, to string, withKey bool) (cli.CopyReport, error) {
			done, err := app.Backup(ctx, config(c), app.BackupOptions{To: to, Key: withKey})
			return cli.CopyReport(done), err
		},
		Restore: func(ctx context.Context, c cli.UpConfig, from string, force bool) (cli.CopyReport, error) {
			done, err := app.Restore(ctx, config(c), from, force)
			return cli.CopyReport(done), err
		},
		AWSInit: func(c cli.AWSSetup) (string, error) { return app.AWSInit(app.AWSSetup(c)) },
		Observe: func(ctx context.Context, c cli.ObserveConfig) (cli.Observed, error) {
			found, err := app.Observe(ctx, app.ObserveConfig{
				Regions: c.Regions, Role: c.Role, ExternalID: c.ExternalID, Group: c.Group, Endpoint: c.Endpoint,
				Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
			})
			return cli.Observed(found), err
		},
		Replay: func(ctx context.Context, c cli.ReplayConfig) (cli.Replayed, error) {
			found, err := app.Replay(ctx, app.ReplayConfig(c))
			return cli.Replayed(found), err
		},
	}))
}

func config(c cli.UpConfig) app.Config {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	var handler slog.Handler = slog.NewTextHandler(os.Stderr, options)
	if c.LogFormat == "json" {
		handler = slog.NewJSONHandler(os.Stderr, options)
	}
	drain := c.Drain
	if c.Database == "" {
		drain = 0 // nobody else could take the requests
	}
	return app.Config{
		Version: version, Data: c.Data, Database: c.Database, KeyFile: c.KeyFile, Key: c.Key, Clouds: clouds(c), PublicURL: c.PublicURL, Domain: c.Domain, Hosts: c.Hosts,
		Jobs: jobs(c), Launch: app.Launch{Listen: c.LaunchListen, Region: c.LaunchRegion, EC2Time: c.LaunchEC2Time}, Drain: drain, Rate: c.Rate, Seed: c.Seed, Demo: !c.NoDemo, AllowOutbound: c.Outbound, Hold: c.Hold, Spend: c.Spend, GroupSpend: c.GroupSpend, Retention: retention(c),
		Log: slog.New(handler), Hook: crashHook(), Unusual: unusual(),
	}
}

func jobs(c cli.UpConfig) app.Jobs {
	j := c.Jobs
	return app.Jobs{
		VCPUs: j.VCPUs, MemoryMiB: j.MemoryMiB, Host: c.HostJobs(), User: j.User, Images: j.Images, Docker: j.Docker, DockerNetwork: j.Network,
		SpotQueue: j.SpotQueue, OnDemandQueue: j.OnDemandQueue,
	}
}

func clouds(c cli.UpConfig) app.Clouds {
	return app.Clouds{
		Real: c.Cloud == "aws", AWSEndpoint: c.AWSEndpoint[""], AWSEndpoints: c.AWSEndpoint, AWSQueue: c.AWSQueue, GCPTokenURL: c.GCPTokenURL, AzureLoginURL: c.AzureLoginURL, AzureManagementURL: c.AzureManagementURL,
	}
}

// retention turns days into durations; the command line's "for ever" is the app's "negative".
func retention(c cli.UpConfig) app.Retention {
	days := func(n int) time.Duration {
		if n == 0 {
			return -1
		}
		return time.Duration(n) * 24 * time.Hour
	}
	return app.Retention{Logs: days(c.KeepLogs), Decisions: days(c.KeepDecisions), Ledger: days(c.KeepLedger), Audit: days(c.KeepAudit), Dead: days(c.KeepDead)}
}

func operations() []cli.Operation {
	var list []cli.Operation
	for _, o := range app.Operations() {
		list = append(list, cli.Operation{Dialect: o.Dialect, ID: o.ID, Method: o.Method, Path: o.Path, Need: o.Need, N: o.N, Title: o.Title, Mutates: o.Mutates})
	}
	return list
}
