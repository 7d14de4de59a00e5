// Package remote runs tasks in the job queues that clouds keep themselves: those of AWS Batch.
//
// It owns the record of which task is which job of the cloud, and what is known of them between two looks. It must not know jobs of ours, nor any cloud's words beyond
// package cloud's. Start reading at Runtime.Start; look.go is what polls, task.go what a job's end means.
//
// No call of a cloud can be made exactly once, and AWS Batch has no tokens. So a row is written before a job is submitted, and stays "asked" until the job's id is known.
// Whoever finds such a row, after a crash or in another replica, looks for the job by the task's name, and takes its absence for proof only when the last attempt
// lies so far back that it can't arrive any more, and in two looks. Then the row is closed for good, or the job is submitted again; either changes the row first, so never both happen.
package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/clock"
	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store"
)

// Clouds finds the cloud behind an account.
type Clouds interface {
	For(ctx context.Context, account string) (cloud.Provider, error)
}

// Config is what a Runtime needs.
type Config struct {
	DB           *store.DB
	Clouds       Clouds
	Catalog      *catalog.Cloud // what regions there are; nil = whatever is named is asked
	Installation string         // goes into the tags of what is made
	Clock        clock.Clock    // nil = the wall
	Log          *slog.Logger
}

// Runtime is runtime.Runtime on the clouds' own queues: one for all accounts, regions and queues. What it remembers beside its rows a restart may lose.
type Runtime struct {
	Config

	mu       sync.Mutex
	starts   map[string]*gate     // by task, while it is being started
	sites    map[site]*gate       // one look at a time for each
	views    map[string]*view     // by task, of those that live
	watchers map[*watcher]bool    // who is to be told
	open     map[string]time.Time // queues that took jobs, by account, region and name, with when they were looked at
	wrong    map[site]string      // what was complained of last
	begun    chan struct{}        // closed when a task was started; then there is another one
}

const (
	polled       = time.Second
	submitWithin = 20 * time.Second // that a submission is on its way at most
	openFor      = 15 * time.Second // that a queue is believed to take jobs: each job is checked when it is submitted and before it begins
)

// New makes no call.
func New(c Config) *Runtime {
	if c.Clock == nil {
		c.Clock = clock.Wall{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Runtime{
		Config: c, starts: map[string]*gate{}, sites: map[site]*gate{}, views: map[string]*view{}, watchers: map[*watcher]bool{}, open: map[string]time.Time{}, wrong: map[site]string{}, begun: make(chan struct{}),
	}
}

// Info is runtime.Runtime's.
func (r *Runtime) Info() runtime.Info {
	return runtime.Info{Name: "aws-batch", Polled: polled}
}

// queues is an account's ability to run jobs.
func (r *Runtime) queues(ctx context.Context, account string) (cloud.JobQueues, time.Duration, error) {
	provider, err := r.Clouds.For(ctx, account)
	if err != nil {
		return nil, 0, fault.Of(fault.Unavailable, "cloud", "The cloud of account %s can't be reached; check its credentials.", account).With(err)
	}
	queues, is := cloud.As[cloud.JobQueues](provider)
	if !is {
		return nil, 0, never("The cloud of account %s has no job queues of its own.", account)
	}
	return queues, provider.Info().Settle, nil
}

// never refuses for good.
func never(sentence string, args ...any) *runtime.Refusal {
	return &runtime.Refusal{Kind: runtime.Never, Message: fmt.Sprintf(sentence, args...)}
}

var (
	idForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$`)
	imageForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9._:-]*[a-z0-9])?(/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)*(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$`)
)

const (
	reserved   = "AWS_BATCH" // how names of variables can't begin
	mostLabels = 47          // of the 50 tags that a job has; see jobOf
)

// Check is runtime.Runtime's. Of the cloud it asks for the queue alone.
func (r *Runtime) Check(ctx context.Context, spec runtime.Spec) error {
	if err := checkForm(spec); err != nil {
		return err
	}
	place := spec.Place
	if r.Catalog != nil && len(r.Catalog.Zones(place.Region)) == 0 {
		return never("There is no region %q.", place.Region)
	}
	queues, _, err := r.queues(ctx, place.Account)
	if err != nil {
		return err
	}
	key, now := place.Account+"/"+place.Region+"/"+place.Queue, r.Clock.Now()
	r.mu.Lock()
	isFresh := now.Sub(r.open[key]) < openFor
	r.mu.Unlock()
	if isFresh {
		return nil
	}
	found, err := queues.JobQueues(ctx, place.Region, []string{place.Queue})
	switch {
	case err != nil:
		return answered("look for a queue of AWS Batch", err)
	case len(found) == 0:
		return r.noQueue(ctx, queues, place)
	case found[0].State == cloud.JobQueueClosed:
		return never("The AWS Batch queue %s in %s is disabled; enable it, or name another one.", place.Queue, place.Region)
	case found[0].State == cloud.JobQueueUnfit:
		return never("The AWS Batch queue %s in %s can't run containers of Neap's: %s. Name one that runs them on EC2.", place.Queue, place.Region, found[0].Reason)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.open, func(_ string, at time.Time) bool { return now.Sub(at) >= openFor })
	r.open[key] = now
	return nil
}

const mostNamed = 5 // queues in a sentence

func (r *Runtime) noQueue(ctx context.Context, queues cloud.JobQueues, place runtime.Place) error {
	all, err := queues.JobQueues(ctx, place.Region, nil)
	if err != nil {
		return answered("list the queues of AWS Batch", err)
	}
	var names []string
	for _, q := range all {
		if q.State == cloud.JobQueueOpen {
			names = append(names, q.Name)
		}
	}
	instead := "that region has none that takes jobs"
	if len(names) > 0 {
		instead = "there are " + strings.Join(names[:min(len(names), mostNamed)], ", ")
		if len(names) > mostNamed {
			instead += " and others"
		}
	}
	return never("There is no AWS Batch queue %s in %s; %s.", place.Queue, place.Region, instead)
}

// checkForm is what can be said without a call.
func checkForm(spec runtime.Spec) error {
	switch {
	case !idForm.MatchString(spec.ID):
		return never("A task's id is 1 to 64 letters, digits, - and dots, and begins with one of the first two; %q is none.", spec.ID)
	case spec.Place.Account == "" || spec.Place.Region == "" || spec.Place.Queue == "":
		return never("A task for AWS Batch needs an account, a region and a queue.")
	case spec.Place.Cloud != "" && spec.Place.Cloud != "aws":
		return never("There is no AWS Batch in the cloud %s.", spec.Place.Cloud)
	case spec.Checkpoint != "":
		return never("AWS Batch keeps no checkpoint folders from one attempt to the next; submit the job to a queue of Neap's own.")
	case spec.UserData != "" || spec.InstanceType != "":
		return never("AWS Batch picks its instances itself; a job that is an instance can't be submitted to the queue %s.", spec.Place.Queue)
	case spec.Image == "host" || !imageForm.MatchString(spec.Image):
		return never("AWS Batch runs images of a registry, such as library/alpine:3; %q is none.", spec.Image)
	}
	if len(spec.Labels) > mostLabels {
		return never("AWS Batch takes no more than %d tags of a job, Neap's own among them; there are %d.", mostLabels, len(spec.Labels))
	}
	for name := range spec.Labels {
		if strings.HasPrefix(strings.ToLower(name), "aws:") {
			return never("AWS keeps tags that begin with aws: for itself; name the tag %q otherwise.", name)
		}
	}
	for name := range spec.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.HasPrefix(name, reserved) {
			return never("AWS Batch takes no environment variable named %q.", name)
		}
	}
	return nil
}

// answered words what the cloud answered: for good, for now, or not at all.
func answered(what string, err error) error {
	refusal, is := errors.AsType[*cloud.Refusal](err)
	switch {
	case is && slices.Contains([]cloud.RefusalKind{cloud.BadRequest, cloud.Unknown}, refusal.Kind):
		return &runtime.Refusal{Kind: runtime.Never, Message: "AWS Batch refuses: " + refusal.Message}
	case is && slices.Contains([]cloud.RefusalKind{cloud.NoCapacity, cloud.NoQuota}, refusal.Kind):
		return &runtime.Refusal{Kind: runtime.Full, Message: "AWS Batch has no room: " + refusal.Message}
	case is && refusal.Kind == cloud.Denied:
		return fault.Of(fault.Unavailable, "cloud", "AWS does not let Neap %s: %s Check the account's credentials and permissions.", what, refusal.Message).With(err)
	}
	return fault.Of(fault.Unavailable, "cloud", "AWS Batch did not answer when it was to %s; try again.", what).With(err)
}

var _ runtime.Runtime = (*Runtime)(nil)
