package identity

import (
	"context"
	"testing"
	"time"

	"github.com/neap-cloud/neap/internal/store"
)

func TestARestoredDatabaseIsMarkedOverRestartsUntilItIsAccepted(t *testing.T) {
	i, _ := started(t)
	taken := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	i.tx(t, func(ctx context.Context, tx *store.Tx) error { return MarkRestored(ctx, tx, taken) })
	inst, _, _, err := i.Start(t.Context())
	must(t, err)
	if !inst.Restored.Equal(taken) {
		t.Errorf("after a restart: %+v", inst)
	}
	newest := inst.Generation + 40 // another copy went on for a while
	_, err = i.AcceptGeneration(store.WithDryRun(t.Context()), newest)
	must(t, err)
	if inst, err = i.Installation(t.Context()); err != nil || inst.Restored.IsZero() {
		t.Errorf("a rehearsal accepted: %+v, %v", inst, err)
	}
	accepted, err := i.AcceptGeneration(t.Context(), newest)
	must(t, err)
	if inst, err = i.Installation(t.Context()); err != nil || inst.Generation != accepted.Generation || inst.Generation <= newest || !inst.Restored.IsZero() {
		t.Errorf("accepted: %+v, %v", inst, err)
	}
	if inst, err = i.AcceptGeneration(t.Context(), 3); err != nil || inst.Generation <= accepted.Generation {
		t.Errorf("older instances take the generation back: %+v, %v", inst, err)
	}
}

func TestTheBackupOfAnUnusedDatabaseNeedsNoMark(t *testing.T) {
	i := New(Config{DB: database(t), Key: testKey})
	must(t, i.db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error { return MarkRestored(ctx, tx, today()) }))
}
