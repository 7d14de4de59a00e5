package workflow

import (
	"container/heap"
	"time"
)

// longestQueue bounds what a replica remembers of a long queue. The rows have the rest.
const longestQueue = 20_000

// queue holds keys that wait on this replica. Within a lane, and among lanes that have room, those that have waited longest come first.
type queue struct {
	lanes map[string]*line
	of    map[string]*waiting
}

// waiting is a key with something to do.
type waiting struct {
	key   string
	since time.Time
	lane  string
	place int // in its line
}

func newQueue() *queue { return &queue{lanes: map[string]*line{}, of: map[string]*waiting{}} }

func (q *queue) has(key string) bool { return q.of[key] != nil }

// add lets key wait since then, or since earlier if it waits already.
func (q *queue) add(key, lane string, since time.Time) {
	w := q.of[key]
	switch {
	case w != nil && since.Before(w.since):
		w.since = since
		heap.Fix(q.lanes[w.lane], w.place)
	case w == nil && len(q.of) < longestQueue:
		w = &waiting{key: key, since: since, lane: lane}
		q.of[key] = w
		if q.lanes[lane] == nil {
			q.lanes[lane] = &line{}
		}
		heap.Push(q.lanes[lane], w)
	}
}

// next takes out the key that comes first among those that head their lanes and may start.
func (q *queue) next(mayStart func(*waiting) bool) (first *waiting, found bool) {
	for _, l := range q.lanes {
		if w := (*l)[0]; (first == nil || w.since.Before(first.since)) && mayStart(w) {
			first = w
		}
	}
	if first == nil {
		return nil, false
	}
	l := q.lanes[first.lane]
	heap.Pop(l)
	if l.Len() == 0 {
		delete(q.lanes, first.lane)
	}
	delete(q.of, first.key)
	return first, true
}

// line is a heap of what waits in one lane.
type line []*waiting

func (l line) Len() int           { return len(l) }
func (l line) Less(i, j int) bool { return l[i].since.Before(l[j].since) }
func (l line) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].place, l[j].place = i, j
}

func (l *line) Push(w any) {
	w.(*waiting).place = len(*l)
	*l = append(*l, w.(*waiting))
}

func (l *line) Pop() any {
	last := len(*l) - 1
	w := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	return w
}
