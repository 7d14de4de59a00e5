package experiment

import (
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/experiment/protocol"
	"github.com/neap-cloud/neap/internal/store"
)

func TestAnExperimentThatHasEndedNeverChangesAgain(t *testing.T) {
	all := []State{Draft, Running, Finished, Stopped}
	for _, from := range all {
		for _, to := range all {
			d := store.Doc[record]{Meta: store.Meta{ID: "exp-1", State: string(from)}}
			allowed := from == Draft && (to == Running || to == Stopped) || from == Running && (to == Finished || to == Stopped)
			if err := move(&d, to); (err == nil) != allowed || err != nil && !fault.Is(err, fault.Conflict) {
				t.Errorf("from %s to %s: %v", from, to, err)
			}
			if d.State != string(to) && allowed || d.State != string(from) && !allowed {
				t.Errorf("from %s to %s it is %s", from, to, d.State)
			}
		}
	}
}

func TestOnlyBlocksThatWereOverWhenItWasStoppedAreExpected(t *testing.T) {
	from := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	r := record{Protocol: protocol.Protocol{Schedule: protocol.Schedule{From: from, Every: time.Hour, Pairs: 2}}}
	if n := r.expected(); n != 4 {
		t.Errorf("%d blocks of one that runs to its end", n)
	}
	r.Stopper = "ada"
	for after, want := range map[time.Duration]int{-time.Minute: 0, 59 * time.Minute: 0, time.Hour: 1, 150 * time.Minute: 2, 99 * time.Hour: 4} {
		if r.Ended = from.Add(after); r.expected() != want {
			t.Errorf("stopped %s after its beginning: %d blocks, not %d", after, r.expected(), want)
		}
	}
}

func TestAProtocolThatWasChangedInTheDatabaseIsFound(t *testing.T) {
	p := protocol.Protocol{Name: "a", Schedule: protocol.Schedule{Pairs: 2}}
	d := store.Doc[record]{Value: record{Protocol: p, Hash: p.Hash()}}
	if _, err := fromRecord(d); err != nil {
		t.Error(err)
	}
	d.Value.Protocol.Pairs = 3
	if _, err := fromRecord(d); !fault.Is(err, fault.Internal) {
		t.Errorf("a changed protocol: %v", err)
	}
}
