package pubnubgo

import (
	"cmp"
	"log"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	pubnub "github.com/pubnub/go"
)

// client is one official client, with what it heard.
type client struct {
	*pubnub.PubNub
	t        *testing.T
	listener *pubnub.Listener
}

// connect makes a client as its makers' guide says, with the origin set. lost is told when it finds that the server is away.
func connect(t *testing.T, s *server, name string, lost chan<- struct{}) *client {
	t.Helper()
	config := pubnub.NewConfig()
	config.PublishKey, config.SubscribeKey = s.keys()
	config.Origin, config.Secure = s.listen, false
	config.UUID = name
	config.PNReconnectionPolicy = pubnub.PNExponentialPolicy
	config.Log = log.New(notice{"Network disconnected", lost}, "", 0)
	c := &client{pubnub.NewPubNub(config), t, pubnub.NewListener()}
	c.AddListener(c.listener)
	t.Cleanup(c.Destroy)
	return c
}

// notice watches the client's log for a text.
type notice struct {
	text string
	seen chan<- struct{}
}

// Write is io.Writer's.
func (n notice) Write(line []byte) (int, error) {
	if strings.Contains(string(line), n.text) {
		select {
		case n.seen <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}

// subscribe begins to listen, and returns once the client says that it is connected.
func (c *client) subscribe(channels ...string) {
	c.t.Helper()
	c.Subscribe().Channels(channels).Execute()
	for {
		select {
		case status := <-c.listener.Status:
			switch status.Category {
			case pubnub.PNConnectedCategory:
				return
			case pubnub.PNAcknowledgmentCategory:
			default:
				c.t.Fatalf("subscribing to %v: %+v", channels, status)
			}
		case <-time.After(20 * time.Second):
			c.t.Fatalf("not connected to %v within 20 s", channels)
		}
	}
}

func (c *client) publish(channel string, message any) int64 {
	c.t.Helper()
	out, status, err := c.Publish().Channel(channel).Message(message).Meta(map[string]any{"from": "test"}).Execute()
	if err != nil || out.Timestamp < 1e16 {
		c.t.Fatalf("publishing %v: %v, %+v", message, err, status)
	}
	return out.Timestamp
}

// next is the next message that comes.
func (c *client) next(within time.Duration) *pubnub.PNMessage {
	c.t.Helper()
	giveUp := time.After(within)
	for {
		select {
		case m := <-c.listener.Message:
			return m
		case <-c.listener.Status:
		case <-giveUp:
			c.t.Fatalf("no message within %s", within)
		}
	}
}

// samples are messages as clients get them.
func samples() []any {
	return []any{
		"text", "ümläut 小🌊 / ? # % & + \" \\ </script>", 12.5, -3.0, true, nil, []any{"list", 1.0, []any{}},
		map[string]any{"progress": 50.0, "path": "a/b?c=d#e", "nested": map[string]any{"ключ": []any{nil, false}}}, "", map[string]any{},
	}
}

func TestTheOfficialClientPublishesAndSubscribes(t *testing.T) {
	s := start(t)
	watcher, job := connect(t, s, "watcher", nil), connect(t, s, "job/1", nil)
	watcher.subscribe("job-1", "job 2/ü")
	var last int64
	for n, want := range samples() {
		if want == nil { // the client sends no null by itself
			continue
		}
		channel := []string{"job-1", "job 2/ü"}[n%2]
		sent := job.publish(channel, want)
		m := watcher.next(20 * time.Second)
		if !reflect.DeepEqual(m.Message, want) || m.Channel != channel || m.Publisher != "job/1" || m.Timetoken != sent || sent <= last {
			t.Errorf("published %v in %s at %d, got %+v", want, channel, sent, m)
		}
		if !reflect.DeepEqual(m.UserMetadata, map[string]any{"from": "test"}) {
			t.Errorf("what is said about the message came as %v", m.UserMetadata)
		}
		last = sent
	}
	if out, _, err := job.Publish().Channel("job-1").Message(map[string]any{"in": "the body"}).UsePost(true).Execute(); err != nil || out.Timestamp <= last {
		t.Fatalf("publishing in the body: %v", err)
	}
	if m := watcher.next(20 * time.Second); !reflect.DeepEqual(m.Message, map[string]any{"in": "the body"}) {
		t.Errorf("got %+v", m)
	}
}

// The client hands each message to its listener in a goroutine of its own, so the order is in the time tokens.
func TestManyMessagesComeOnceAndTellTheirOrder(t *testing.T) {
	s := start(t)
	watcher, job := connect(t, s, "watcher", nil), connect(t, s, "job", nil)
	watcher.subscribe("a", "b")
	const all = 300
	sent := make(chan error, 1)
	go func() {
		for n := range all {
			if _, _, err := job.Publish().Channel([]string{"a", "b"}[n%2]).Message(n).Execute(); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	var got []*pubnub.PNMessage
	for len(got) < all {
		got = append(got, watcher.next(20*time.Second))
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b *pubnub.PNMessage) int { return cmp.Compare(a.Timetoken, b.Timetoken) })
	for n, m := range got {
		if m.Message != float64(n) {
			t.Fatalf("at %d came %v", n, m.Message)
		}
	}
}

func TestChannelsAreJoinedAndLeft(t *testing.T) {
	s := start(t)
	watcher, job := connect(t, s, "watcher", nil), connect(t, s, "job", nil)
	watcher.subscribe("a")
	watcher.Subscribe().Channels([]string{"b"}).WithPresence(true).Execute()
	job.publish("a", "1")
	if m := watcher.next(20 * time.Second); m.Message != "1" {
		t.Errorf("got %+v", m)
	}
	job.publish("b", "2")
	if m := watcher.next(20 * time.Second); m.Message != "2" {
		t.Errorf("got %+v", m)
	}
	watcher.Unsubscribe().Channels([]string{"a"}).Execute()
	job.publish("a", "nobody listens")
	job.publish("b", "3")
	// A message of the channel that is being left may still be on its way.
	if m := watcher.next(20 * time.Second); m.Message != "3" && (m.Channel != "a" || watcher.next(20*time.Second).Message != "3") {
		t.Errorf("got %+v", m)
	}
}

func TestTheClientsOtherCallsAreQuiet(t *testing.T) {
	s := start(t)
	c := connect(t, s, "watcher", nil)
	if out, _, err := c.Time().Execute(); err != nil || out.Timetoken < time.Now().Add(-time.Minute).UnixMicro()*10 {
		t.Errorf("time: %v %v", out, err)
	}
	if out, _, err := c.HereNow().Channels([]string{"a"}).IncludeUUIDs(true).Execute(); err != nil || out.TotalOccupancy != 0 {
		t.Errorf("here now: %v %v", out, err)
	}
	if _, _, err := c.HereNow().Channels([]string{"a", "b"}).Execute(); err != nil {
		t.Errorf("here now in two channels: %v", err)
	}
	if out, _, err := c.WhereNow().UUID("watcher").Execute(); err != nil || len(out.Channels) != 0 {
		t.Errorf("where now: %v %v", out, err)
	}
	if _, err := c.Leave().Channels([]string{"a"}).Execute(); err != nil {
		t.Errorf("leave: %v", err)
	}
	if _, _, err := c.SetState().Channels([]string{"a"}).State(map[string]any{"x": 1}).Execute(); err != nil {
		t.Errorf("state: %v", err)
	}
}

func TestWrongKeysAreRefused(t *testing.T) {
	s := start(t)
	c := connect(t, s, "job", nil)
	c.Config.PublishKey = "pub-c-00000000-0000-4000-8000-000000000000"
	if _, status, err := c.Publish().Channel("a").Message("x").Execute(); err == nil || status.StatusCode != 400 {
		t.Errorf("a wrong publish key: %d %v", status.StatusCode, err)
	}
	c.Config.SubscribeKey = "sub-c-00000000-0000-4000-8000-000000000000"
	c.Subscribe().Channels([]string{"a"}).Execute()
	for {
		select {
		case status := <-c.listener.Status:
			if status.Category == pubnub.PNAcknowledgmentCategory {
				continue
			}
			if status.Category != pubnub.PNBadRequestCategory && status.Category != pubnub.PNAccessDeniedCategory { // see loses
				t.Errorf("a wrong subscribe key: %+v", status)
			}
			return
		case <-time.After(20 * time.Second):
			t.Fatal("a wrong subscribe key is not refused within 20 s")
		}
	}
}

// What was published before is gone with the process, and the subscription goes on.
func TestASubscriptionOutlivesTheServer(t *testing.T) {
	s := start(t)
	lost := make(chan struct{}, 1)
	watcher := connect(t, s, "watcher", lost)
	watcher.subscribe("a")
	connect(t, s, "job", nil).publish("a", "before")
	if m := watcher.next(20 * time.Second); m.Message != "before" {
		t.Fatalf("got %+v", m)
	}
	before := slices.Collect(keysOf(s))
	began := time.Now()
	s.stop()
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the server waited %s for its subscriber", took)
	}
	again := watcher.loses(lost)
	s.start()
	if after := slices.Collect(keysOf(s)); !slices.Equal(before, after) {
		t.Errorf("the keys were %v and are %v", before, after)
	}
	if again {
		watcher.subscribe("a")
	}
	connect(t, s, "job", nil).publish("a", "after")
	if m := watcher.next(time.Minute); m.Message != "after" {
		t.Errorf("got %+v", m)
	}
}

// loses waits until the client finds that the server is away. Then it goes on by itself, unless it misreads its own error: it looks for 400, 403 and 530 in a text that
// holds the address, with keys and tokens, and gives the subscription up when it finds one. An application has to subscribe again then.
func (c *client) loses(lost <-chan struct{}) (subscribeAgain bool) {
	c.t.Helper()
	giveUp := time.After(40 * time.Second)
	for {
		select {
		case <-lost:
			return false
		case status := <-c.listener.Status:
			switch status.Category {
			case pubnub.PNBadRequestCategory, pubnub.PNAccessDeniedCategory, pubnub.PNNoStubMatchedCategory:
				c.t.Logf("the client gives up: %s", status.Category)
				return true
			}
		case <-giveUp:
			c.t.Fatal("the client has not noticed within 40 s that the server is away")
		}
	}
}

func keysOf(s *server) func(yield func(string) bool) {
	publish, subscribe := s.keys()
	return slices.Values([]string{publish, subscribe})
}
