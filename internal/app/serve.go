package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/neap-cloud/neap/internal/dialect/neap"
	"github.com/neap-cloud/neap/internal/fleet"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/store"
)

// routes puts the process's own endpoints beside the operations.
func (a *App) routes() http.Handler {
	a.server.Registry().MustRegister(&alertMetrics{a.health}, &fleetMetrics{app: a}, a.calls, a.metered)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.server.Metrics())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { answer(w, a.isReady(r.Context())) })
	return a.presence.folding(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would send a client with a doubled slash in its address elsewhere, and clients repeat what they post there as a GET.
		if _, own := mux.Handler(r); own != "" {
			mux.ServeHTTP(w, r)
			return
		}
		a.server.ServeHTTP(w, r)
	}))
}

// status is the installation at a glance, as far as it belongs to whoever sees these accounts.
func (a *App) status(ctx context.Context, accounts []identity.Account) (neap.Status, error) {
	var size fleet.Size
	real := func(account identity.Account) bool { return account.Cloud != simCloud }
	for _, account := range accounts {
		own, err := a.Fleet.Size(ctx, account.ID)
		if err != nil {
			return neap.Status{}, err
		}
		size.Groups, size.Instances = size.Groups+own.Groups, size.Instances+own.Instances
	}
	rate := a.config.Rate
	if rate == 0 {
		rate = 1
	}
	return neap.Status{
		Version: a.config.Version, Simulated: !slices.ContainsFunc(accounts, real), Database: a.db.Driver(), Time: a.clock.Now(), Rate: rate, Started: a.started,
		Groups: size.Groups, Instances: size.Instances,
	}, nil
}

// fleetMetrics counts groups and instances when it is asked.
type fleetMetrics struct{ app *App }

func (m *fleetMetrics) descriptions() (groups, instances *prometheus.Desc) {
	return prometheus.NewDesc("neap_groups", "Groups that are kept.", nil, nil),
		prometheus.NewDesc("neap_instances", "Instances that have not ended.", nil, nil)
}

// Describe is prometheus.Collector's.
func (m *fleetMetrics) Describe(out chan<- *prometheus.Desc) {
	groups, instances := m.descriptions()
	out <- groups
	out <- instances
}

// Collect is prometheus.Collector's.
func (m *fleetMetrics) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	groups, instances := m.descriptions()
	size, err := m.app.Fleet.Size(ctx, "")
	if err != nil {
		out <- prometheus.NewInvalidMetric(groups, err)
		return
	}
	out <- prometheus.MustNewConstMetric(groups, prometheus.GaugeValue, float64(size.Groups))
	out <- prometheus.MustNewConstMetric(instances, prometheus.GaugeValue, float64(size.Instances))
}

// Up runs one Neap until ctx ends: it listens on address, tells a person on out how to get in, and stops gracefully.
func Up(ctx context.Context, c Config, address string, out io.Writer) error {
	TuneMemory()
	// Listening comes first: a taken port must not leave a half-started engine behind.
	doors, err := open(door{flag: "--listen", address: address}, door{flag: "--launch-listen", address: c.Launch.Listen})
	if err != nil {
		return err
	}
	a, err := Build(ctx, c)
	if err != nil {
		return errors.Join(err, doors.close())
	}
	doors[0].handler = a.Handler
	if len(doors) > 1 {
		doors[1].handler = a.alone("/v1")
	}
	// The engine outlives ctx by the time that stopping takes.
	engine, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	if err := a.Start(engine); err != nil {
		return errors.Join(err, doors.close(), a.close())
	}
	served := doors.serve(a.Base, a.server.EndStreams)
	a.greet(out, doors)
	select {
	case err = <-served:
	case <-ctx.Done():
		fmt.Fprintln(out, "stopping …")
	}
	return errors.Join(err, a.retire(ctx, doors))
}

// greet prints where Neap is, how to get in, and what to try first.
func (a *App) greet(out io.Writer, at doors) {
	data, address := a.config.Data, at[0].listener.Addr().String()
	fmt.Fprintf(out, "Neap %s, listening on http://%s\n", a.config.Version, address)
	if len(at) > 1 {
		fmt.Fprintf(out, "The Launch & Provision API alone is at http://%s/v1/.\n", at[1].listener.Addr())
	}
	if a.config.Database != "" {
		fmt.Fprintf(out, "Everything is kept in %s.\n", store.Name(a.config.Database))
	}
	if a.config.Clouds.Real {
		fmt.Fprintln(out, "Accounts that are made are in a real cloud once they have credentials: what runs there costs money.")
	} else {
		fmt.Fprintln(out, "The cloud is simulated: real instance types and prices, no real machines, no real money.")
	}
	if a.Admin != "" {
		fmt.Fprintf(out, "\n  Admin token (shown this once, kept in %s):\n  %s\n", filepath.Join(data, "admin-token"), a.Admin)
	} else if a.config.Database != "" {
		fmt.Fprintln(out, "\n  Admin token: with the replica that was the first to start, in its admin-token")
	} else {
		fmt.Fprintf(out, "\n  Admin token: in %s, if you left it there\n", filepath.Join(data, "admin-token"))
	}
	fmt.Fprintf(out, "  Account:     %s\n", a.Account.ID)
	fmt.Fprintf(out, "  API:         http://%s/openapi/\n", address)
	fmt.Fprint(out, "\nTry, in another terminal:\n")
	if a.Account.Cloud == "" {
		fmt.Fprintf(out, connecting, a.Account.ID)
		return
	}
	fmt.Fprint(out, "  neap get groups\n")
	if a.demo != "" {
		fmt.Fprintf(out, "  neap get instances %s --watch\n  neap explain %s\n", a.demo, a.demo)
	}
	fmt.Fprintln(out)
}

// connecting is what comes first where the account has no credentials yet.
const connecting = `  neap call spot.account.createAwsAccountExternalId accountId=%[1]s
  neap aws init --external-id ID > neap.yaml
  neap call spot.account.setCredentialsForAws accountId=%[1]s -d '{"credentials":{"iamRole":"ARN"}}'

docs/aws.md tells the steps between them.

`
