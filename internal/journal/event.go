package journal

import (
	"context"
	"encoding/json"
	"time"

	"github.com/neap-cloud/neap/internal/store"
)

// Event is something that happened to a resource, for programs. It must not hold secrets.
type Event struct {
	At   time.Time       // zero when writing = now
	Type string          // "launched", "terminated", "updated", …
	Data json.RawMessage // an object, or nothing
}

// event is a stored Event; its type is the record's kind.
type event struct {
	Data json.RawMessage `json:"data,omitempty"`
}

// Emit writes events about a resource.
func (j *Journal) Emit(ctx context.Context, tx *store.Tx, account, resource string, emitted ...Event) error {
	records := make([]store.Record[event], len(emitted))
	for i, e := range emitted {
		records[i] = store.Record[event]{
			ID: recordID(), Account: account, Resource: resource, Kind: e.Type, At: j.dated(e.At), Value: event{Data: e.Data},
		}
	}
	return events.Append(ctx, tx, records...)
}

// Events are the events of a resource with from ≤ At < to, sealed or not, oldest first.
func (j *Journal) Events(ctx context.Context, account, resource string, from, to time.Time) ([]Event, error) {
	records, err := events.List(ctx, j.db, store.Account(account), store.LogQuery{Resource: resource, From: from, To: to})
	if err != nil {
		return nil, err
	}
	read := make([]Event, len(records))
	for i, r := range records {
		read[i] = eventOf(r)
	}
	return read, nil
}

func eventOf(r store.Record[event]) Event {
	return Event{At: r.At, Type: r.Kind, Data: r.Value.Data}
}
