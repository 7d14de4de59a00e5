package output_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/batch/output"
	"github.com/neap-cloud/neap/internal/runtime"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// paper is a runtime that only has output. It keeps the first and the last lines of a task, when it is told to.
type paper struct {
	runtime.Runtime
	mu    sync.Mutex
	lines []runtime.Line
	total int64
	reads int
	fails error
}

func (p *paper) write(lines ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range lines {
		p.total++
		p.lines = append(p.lines, runtime.Line{N: p.total, At: noon, Stream: "stdout", Text: text})
	}
}

// lose drops some lines out of the middle.
func (p *paper) lose(from, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if from >= len(p.lines)-1 || n < 1 {
		return
	}
	until := min(from+n, len(p.lines)-1)
	p.lines = slices.Delete(p.lines, from, until)
	before := int64(0)
	if from > 0 {
		before = p.lines[from-1].N
	}
	p.lines[from].Dropped = p.lines[from].N - before - 1
}

func (p *paper) task() runtime.Task {
	p.mu.Lock()
	defer p.mu.Unlock()
	return runtime.Task{ID: "task", State: runtime.Running, Lines: p.total}
}

func (p *paper) Output(_ context.Context, _ string, after int64, limit int) ([]runtime.Line, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reads++; p.fails != nil {
		return nil, p.fails
	}
	var out []runtime.Line
	for _, l := range p.lines {
		if l.N > after && len(out) < limit {
			out = append(out, l)
		}
	}
	return out, nil
}

func ref(job string) output.Ref { return output.Ref{Account: "act-1", Job: job, Attempt: 1} }

func TestWhateverHappensTheBookIsWhatWasWritten(t *testing.T) {
	db := storetest.Memory(t)
	job := 0
	rapid.Check(t, func(t *rapid.T) {
		job++
		at, p := ref(fmt.Sprint("job-", job)), &paper{}
		limit := rapid.SampledFrom([]int64{0, 400, 2000}).Draw(t, "limit")
		book := &output.Book{DB: db}
		c := &output.Collector{Book: book, Limit: limit}
		ctx := context.Background()
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1:
				for range rapid.IntRange(1, 40).Draw(t, "lines") {
					p.write(strings.Repeat("x", rapid.IntRange(0, 30).Draw(t, "length")))
				}
			case 2: // a restart
				c = &output.Collector{Book: &output.Book{DB: db}, Limit: limit}
			case 3: // a runtime that fails
				p.fails = errors.New("down")
				if err := c.Collect(ctx, p, p.task(), at, false); err == nil && p.total > 0 && p.reads == 0 {
					t.Fatal("the failure was ignored")
				}
				p.fails = nil
			default:
				task := p.task()
				if rapid.Bool().Draw(t, "old news") && task.Lines > 1 {
					task.Lines--
				}
				if err := c.Collect(ctx, p, task, at, false); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range rapid.IntRange(1, 2).Draw(t, "ends") {
			if err := c.Collect(ctx, p, p.task(), at, true); err != nil {
				t.Fatal(err)
			}
		}
		got, _, err := book.Read(ctx, "act-1", at.Job, output.Query{Limit: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		agrees(t, got, p, limit)
	})
}

// agrees holds what is in the book to what was written: in order, each line as it was, gaps only where Dropped says so, none without a limit, and the last line there.
func agrees(t *rapid.T, got []output.Line, p *paper, limit int64) {
	at, bytes := int64(0), int64(0)
	for _, l := range got {
		if l.N != at+1+l.Dropped {
			t.Fatalf("line %d follows line %d, %d dropped", l.N, at, l.Dropped)
		}
		if l.Dropped > 0 && limit == 0 {
			t.Fatalf("%d lines are missing before line %d", l.Dropped, l.N)
		}
		if want := p.lines[l.N-1].Text; l.Text != want {
			t.Fatalf("line %d reads %q, want %q", l.N, l.Text, want)
		}
		at, bytes = l.N, bytes+int64(len(l.Text))+32
	}
	if limit > 0 && bytes > limit {
		t.Fatalf("%d bytes are kept, at most %d are allowed", bytes, limit)
	}
	if at != p.total && (limit == 0 || limit/8 > 62) {
		t.Fatalf("the last line is %d of %d", at, p.total)
	}
}

func TestATaskThatWritesTooMuchKeepsItsBeginningAndItsEnd(t *testing.T) {
	db := storetest.Memory(t)
	p := &paper{}
	c := &output.Collector{Book: &output.Book{DB: db}, Limit: 80 << 10}
	for range 20 {
		for range 1000 {
			p.write(strings.Repeat("y", 68)) // 100 bytes with what a line counts for
		}
		if err := c.Collect(t.Context(), p, p.task(), ref("job"), false); err != nil {
			t.Fatal(err)
		}
	}
	if p.reads > 4 {
		t.Errorf("the runtime was read %d times, though there was no room for more", p.reads)
	}
	p.lose(15_000, 4_000)
	for range 3 {
		if err := c.Collect(t.Context(), p, p.task(), ref("job"), true); err != nil {
			t.Fatal(err)
		}
	}
	got := pages(t, c.Book, "job", output.Query{})
	head := slices.IndexFunc(got, func(l output.Line) bool { return l.Dropped > 0 })
	if head != 716 || got[head].N != 20_000-int64(len(got)-head)+1 || got[len(got)-1].N != 20_000 || len(got)-head < 80 {
		t.Errorf("%d lines, of which %d at the beginning; then line %+v", len(got), head, got[head])
	}
	if got[head].Dropped != got[head].N-717 {
		t.Errorf("%d are said to be missing before line %d", got[head].Dropped, got[head].N)
	}
}

func TestWhatTheRuntimeItselfHasLostIsToldOnce(t *testing.T) {
	p := &paper{}
	for n := range 50 {
		p.write(fmt.Sprint(n))
	}
	p.lose(0, 10)
	p.lose(20, 5)
	c := &output.Collector{Book: &output.Book{DB: storetest.Memory(t)}}
	for range 2 {
		if err := c.Collect(t.Context(), p, p.task(), ref("job"), false); err != nil {
			t.Fatal(err)
		}
	}
	missing := int64(0)
	for _, l := range pages(t, c.Book, "job", output.Query{}) {
		missing += l.Dropped
	}
	if missing != 15 {
		t.Errorf("%d lines are said to be missing, 15 are", missing)
	}
}

func TestManyCollectorsAtOnceCopyEachLineOnce(t *testing.T) {
	db := storetest.Memory(t)
	p := &paper{}
	book := &output.Book{DB: db}
	replicas := []*output.Collector{{Book: book}, {Book: &output.Book{DB: db}}}
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for range 30 {
				p.write("a", "b", "c")
				if err := replicas[n%2].Collect(t.Context(), p, p.task(), ref("job"), false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := replicas[0].Collect(t.Context(), p, p.task(), ref("job"), true); err != nil {
		t.Fatal(err)
	}
	got := pages(t, book, "job", output.Query{})
	if len(got) != 720 || got[719].N != 720 {
		t.Errorf("%d lines", len(got))
	}
}

func TestATaskWithoutOutputCostsNothing(t *testing.T) {
	c := &output.Collector{} // without a book: it would not survive being asked
	p := &paper{}
	if n := testing.AllocsPerRun(100, func() {
		if err := c.Collect(t.Context(), p, runtime.Task{ID: "task"}, ref("job"), true); err != nil {
			t.Fatal(err)
		}
	}); n != 0 || p.reads != 0 {
		t.Errorf("%v allocations, %d reads", n, p.reads)
	}
}

func BenchmarkCollectOneLine(b *testing.B) {
	c := &output.Collector{Book: &output.Book{DB: storetest.Memory(b)}}
	n := 0
	for b.Loop() {
		n++
		p := &paper{}
		p.write("done")
		if err := c.Collect(b.Context(), p, p.task(), ref(fmt.Sprint("job-", n)), true); err != nil {
			b.Fatal(err)
		}
	}
}
