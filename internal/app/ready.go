package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

// presence is what a load balancer is told of this process.
type presence struct{ leaving atomic.Bool }

// leave makes /readyz say no from now on.
func (p *presence) leave() { p.leaving.Store(true) }

// folding asks clients of a process that is leaving to use another connection for their next request, so that no idle one is cut under them.
func (p *presence) folding(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.leaving.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// answerWithin is how long the database may take to show that it is there.
const answerWithin = 2 * time.Second

// isReady says why requests had better go elsewhere, or nil.
func (a *App) isReady(ctx context.Context) error {
	if a.presence.leaving.Load() {
		return errors.New("this process is stopping")
	}
	if err := a.Workflow.Working(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if err := a.db.Ping(ctx); err != nil {
		return fmt.Errorf("the database does not take work: %s", plainly(err))
	}
	if err := a.db.Understood(ctx); err != nil {
		return errors.New(plainly(err))
	}
	return nil
}

// plainly is what anybody may know of the database's trouble.
func plainly(err error) string {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return "it does not answer"
	}
	return fault.As(err).Message
}

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, err)
		return
	}
	fmt.Fprintln(w, "ok")
}

// stopWithin is how long requests and turns in progress may take once the process is asked to stop.
const stopWithin = 10 * time.Second

// retire ends a serving process without failing a request or holding up the other replicas: /readyz says no at once; the engine begins no turns, finishes those
// in progress and gives its leases back; meanwhile requests are still served until load balancers had the time to notice; then the listener closes.
func (a *App) retire(ctx context.Context, at doors) error {
	a.presence.leave()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.config.Drain+stopWithin)
	defer cancel()
	engine := make(chan error, 1)
	go func() { engine <- a.Workflow.Stop(stop) }()
	if a.config.Drain > 0 {
		<-time.After(a.config.Drain)
	}
	a.channels.Close() // subscribers are answered now, and ask again elsewhere
	failed := at.shut(stop)
	return errors.Join(failed, <-engine, a.close())
}
