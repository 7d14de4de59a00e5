package intake

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

func TestWhatComesDuringABatchIsTheNextOneAndAllHearOfItsEnd(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	var batches [][]int
	var g Gather[int]
	g.Do = func(_ context.Context, items []int) error {
		batches = append(batches, items)
		if len(batches) == 1 {
			close(began)
			<-goOn
			return nil
		}
		panic("broken")
	}
	var first, others sync.WaitGroup
	first.Go(func() {
		if err := g.Put(t.Context(), 0); err != nil {
			t.Error(err)
		}
	})
	<-began
	var panicked, failed atomic.Int32
	for n := range 5 {
		others.Go(func() {
			defer func() {
				if recover() != nil {
					panicked.Add(1)
				}
			}()
			if err := g.Put(t.Context(), n+1); errors.Is(err, errUnfinished) {
				failed.Add(1)
			}
		})
	}
	collected := func() int {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.next == nil {
			return 0
		}
		return len(g.next.items)
	}
	for collected() < 5 {
		runtime.Gosched()
	}
	close(goOn)
	first.Wait()
	others.Wait()
	if len(batches) != 2 || len(batches[0]) != 1 {
		t.Fatalf("%v, not one item and then the five that came meanwhile", batches)
	}
	if panicked.Load() != 1 || failed.Load() != 4 {
		t.Errorf("%d panicked and %d failed, not one and the four that relied on it", panicked.Load(), failed.Load())
	}
	if slices.Sort(batches[1]); !slices.Equal(batches[1], []int{1, 2, 3, 4, 5}) {
		t.Errorf("%v were worked on, not what came", batches[1])
	}
}

func TestEveryItemIsWorkedOnOnceHoweverTheyCome(t *testing.T) {
	seen := map[int]int{} // guarded by the turn of Gather itself: the race detector would tell
	g := Gather[int]{Do: func(_ context.Context, items []int) error {
		for _, n := range items {
			seen[n]++
		}
		return nil
	}}
	var all sync.WaitGroup
	for n := range 500 {
		all.Go(func() {
			if err := g.Put(t.Context(), n); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for n := range 500 {
		if seen[n] != 1 {
			t.Errorf("%d was worked on %d times", n, seen[n])
		}
	}
}
