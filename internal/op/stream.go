package op

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

// Event is one message of a stream. The zero Event opens the stream and says nothing, so that the client knows that it was let in.
type Event[Data any] struct {
	ID   string // where to go on behind it, as the query parameter after or the header Last-Event-ID; "" = nowhere new
	Name string // "" = the usual "message"; "error" is for op
	Data Data
}

const (
	eventsType = "text/event-stream"

	beatEvery  = 15 * time.Second // comments keep proxies from taking silence for an end
	checkEvery = 30 * time.Second // the right to read on is checked again
	takeWithin = 30 * time.Second // a client that has not taken an event by then has gone
	// mostStreams of one organisation may be open at a time, so that none has all of the server's.
	mostStreams = 500
)

// Events binds a function that answers with a stream of Server-Sent Events, until it returns; then the client knows that nothing more will come, unless it asks again.
// Inputs are bound as for Func; a client that comes back with the header Last-Event-ID has it as its query parameter after, whatever the address says.
//
// What the function returns before its first event is a usual refusal; what it returns later is an event "error" with the refusal's body as its data. ctx ends when the
// client goes away, when the server stops, and when the caller may not read it any more. send is for one goroutine; the function returns what send does.
func Events[In, Data any](f func(ctx context.Context, in In, send func(Event[Data]) error) error) Do {
	inputs := inputsOf(reflect.TypeFor[In]())
	zero := func() any { return *new(Data) }
	return Do{in: inputs, out: zero, streams: true, run: func(_ context.Context, from source) (func(context.Context) (any, error), error) {
		if last := from.http.Header("Last-Event-ID"); last != "" {
			from.query = withAfter(from.query, last)
		}
		var in In
		if err := fill(reflect.ValueOf(&in).Elem(), inputs, from); err != nil {
			return nil, err
		}
		flow := flow(func(ctx context.Context, s *stream) error {
			return f(ctx, in, func(e Event[Data]) error {
				if reflect.ValueOf(&e).Elem().IsZero() {
					return s.write(": open\n\n")
				}
				return s.event(e.ID, e.Name, e.Data)
			})
		})
		return func(context.Context) (any, error) { return flow, nil }, nil
	}}
}

// flow is what an operation of Events answers.
type flow func(ctx context.Context, s *stream) error

func withAfter(query url.Values, last string) url.Values {
	changed := url.Values{"after": {last}}
	for name, values := range query {
		if !strings.EqualFold(name, "after") {
			changed[name] = values
		}
	}
	return changed
}

// What ends a stream besides its function.
var (
	errStopping = fault.Of(fault.Unavailable, "server", "The server is stopping; ask again in a moment.")
	errNotTaken = errors.New("the client does not take the events")
)

// stream is an answer that goes on.
type stream struct {
	x       *exchange
	control *http.ResponseController
	end     context.CancelCauseFunc

	mu     sync.Mutex // heartbeats come between events
	opened bool
}

// stream answers with a flow of events.
func (x *exchange) stream(ctx context.Context, run flow) {
	leave, err := x.server.streams.enter(x.call.Caller.Organisation)
	if err != nil {
		x.refuse(err)
		return
	}
	defer leave()
	x.server.metrics.streams.Inc()
	defer x.server.metrics.streams.Dec()
	x.streamed = true

	ctx, end := context.WithCancelCause(ctx)
	s := &stream{x: x, control: http.NewResponseController(x), end: end}
	var tending sync.WaitGroup
	again := *x // as it is now: the function may write to its call
	tending.Go(func() { s.tend(ctx, &again) })
	func() {
		defer tending.Wait()
		defer end(nil)
		err = run(ctx, s)
	}()
	s.close(ctx, err)
	if err := s.control.SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) { // the connection may serve further requests
		x.server.log.Debug("a connection's deadline cannot be lifted", "request", x.call.ID, "error", err)
	}
}

// tend keeps a stream alive, and ends it when it must not go on.
func (s *stream) tend(ctx context.Context, again *exchange) {
	beat, check := time.NewTicker(beatEvery), time.NewTicker(checkEvery)
	defer beat.Stop()
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.x.server.streams.stopping():
			s.end(errStopping)
			return
		case <-beat.C:
			if s.write(": still here\n\n") != nil {
				return // write has ended it
			}
		case <-check.C:
			if err := again.mayStill(ctx); err != nil {
				s.end(err)
				return
			}
		}
	}
}

// mayStill asks anew who the caller is and what it may do. A proof that was fresh when the stream began need not be so again.
func (x *exchange) mayStill(ctx context.Context) error {
	if x.route.row.Open {
		return nil
	}
	credential := x.credential
	credential.Nonce = ""
	caller, err := x.server.authenticator.Authenticate(ctx, credential)
	if err != nil {
		return err
	}
	x.call.Caller = caller
	return x.authorize(ctx, x.call.Account, nil)
}

// close says how a stream ended, to a client that is still there.
func (s *stream) close(ctx context.Context, err error) {
	cause := context.Cause(ctx)
	switch {
	case s.x.request.Context().Err() != nil || errors.Is(cause, errNotTaken):
		return
	case cause != nil && !errors.Is(cause, context.Canceled): // it was ended from here, whatever the function made of it
		err = cause
	}
	switch {
	case !s.opened && err != nil:
		s.x.refuse(err)
	case !s.opened:
		err = s.write("")
	case err != nil && !errors.Is(err, errStopping):
		s.x.fault = fault.As(err)
		status := s.x.statusOf(err)
		err = s.event("", "error", s.x.refusalBody(status))
	default:
		err = nil
	}
	if err != nil && s.opened {
		s.x.server.log.Debug("the client did not take the end of a stream", "request", s.x.call.ID, "error", err)
	}
}

// event writes one event.
func (s *stream) event(id, name string, data any) error {
	if strings.ContainsAny(id+name, "\r\n\x00") {
		return fault.Of(fault.Internal, "event", "An event's id or name has more than one line.")
	}
	text, err := encode(data)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if name != "" {
		out.WriteString("event: " + name + "\n")
	}
	if id != "" {
		out.WriteString("id: " + id + "\n")
	}
	out.WriteString("data: ")
	out.Write(text) // JSON has no line ends but the one behind it
	out.WriteString("\n")
	return s.write(out.String())
}

// write sends text at once; the first opens the stream. A client that does not take it ends the stream.
func (s *stream) write(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.control.SetWriteDeadline(time.Now().Add(takeWithin)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return s.lost()
	}
	if !s.opened {
		s.opened = true
		header := s.x.Header()
		header.Set("Content-Type", eventsType)
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Accel-Buffering", "no") // proxies that buffer would make a heap of a stream
		s.x.WriteHeader(http.StatusOK)
	}
	if _, err := s.x.Write([]byte(text)); err != nil {
		return s.lost()
	}
	if err := s.control.Flush(); err != nil {
		return s.lost()
	}
	return nil
}

func (s *stream) lost() error {
	s.end(errNotTaken)
	return errNotTaken
}

// streams are those that a server has open.
type streams struct {
	mu   sync.Mutex
	open map[string]int // by organisation
	stop chan struct{}  // closed when the server stops; made when first asked for
	over bool
}

func (s *streams) enter(organisation string) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string]int{}
	}
	if s.open[organisation] >= mostStreams {
		return nil, refuseWith(http.StatusTooManyRequests, fault.Of(fault.Limit, "stream", "Your organisation has %d streams open; close some of them first.", mostStreams))
	}
	s.open[organisation]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open[organisation]--; s.open[organisation] == 0 {
			delete(s.open, organisation)
		}
	}, nil
}

func (s *streams) stopping() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channel()
}

func (s *streams) channel() chan struct{} {
	if s.stop == nil {
		s.stop = make(chan struct{})
	}
	return s.stop
}

// EndStreams ends all streams, and at once those that begin later: for http.Server.RegisterOnShutdown, which waits for answers that would never end by themselves.
func (s *Server) EndStreams() {
	s.streams.mu.Lock()
	defer s.streams.mu.Unlock()
	if !s.streams.over {
		s.streams.over = true
		close(s.streams.channel())
	}
}
