package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/neap-cloud/neap/internal/store"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// A sealer that was paused does not know yet that another has its lease: for a moment two of them work.
func TestTwoSealersAtOnceGiveNoNumberTwiceAndLeaveNoGap(t *testing.T) {
	const perWriter, writers = 60, 3
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		var writing, sealing sync.WaitGroup
		for w := range writers {
			db := at.Open(t)
			writing.Go(func() {
				for n := range perWriter {
					if err := entries.Append(t.Context(), db, entry("a", fmt.Sprintf("w%d-%d", w, n), "k", noon)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		written := make(chan struct{})
		for range 2 {
			db := at.Open(t)
			sealing.Go(func() {
				for last := false; !last; {
					select {
					case <-written:
						last = true // once more, for what came in the end
					default:
					}
					err := db.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
						_, err := entries.Seal(ctx, tx, 1000)
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		writing.Wait()
		close(written)
		sealing.Wait()
		records, err := entries.List(t.Context(), at.Open(t), store.Installation(), store.LogQuery{Sealed: true})
		if err != nil || len(records) != writers*perWriter {
			t.Fatalf("%d records are sealed, %d expected: %v", len(records), writers*perWriter, err)
		}
		for i, r := range records {
			if r.Seq != int64(i+1) {
				t.Fatalf("place %d has the number %d", i+1, r.Seq)
			}
		}
	})
}
