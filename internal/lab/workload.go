package lab

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The kinds of workload.
const (
	Steady   = "steady"   // N instances all the time: "steady:20"
	Diurnal  = "diurnal"  // between two counts, as a sine of the day with its low at 04:00 UTC: "diurnal:10-40"
	Deadline = "deadline" // work of so long on one instance, to be done within so long, again and again over the span: "deadline:24h/36h", and with ",checkpoint=none"
	Batch    = "batch"    // elastic: so many tasks of so long arrive every hour, any number may run side by side: "batch:40x30m"
)

// Workload is what is to be run.
type Workload struct {
	Kind string

	Least, Most int // instances: equal for Steady; for Batch, Most is how many may run at a time

	Work       time.Duration // Deadline: on one instance; Batch: of one task
	Within     time.Duration // Deadline: from the start of a job
	Restart    time.Duration // Deadline: time that every change of instance costs before work goes on
	Checkpoint bool          // Deadline and Batch: what was done before a loss stays done
	PerHour    int           // Batch: tasks that arrive
}

// usualRestart is the changeover of the published deadline policies: 0.1 h.
const usualRestart = 6 * time.Minute

// ParseWorkload reads a workload as it is spelled on the command line; the error is for people.
func ParseWorkload(text string) (Workload, error) {
	kind, rest, _ := strings.Cut(text, ":")
	w := Workload{Kind: kind, Restart: usualRestart, Checkpoint: true}
	size, options, _ := strings.Cut(rest, ",")
	var err error
	switch kind {
	case Steady:
		w.Least, err = count(size)
		w.Most = w.Least
	case Diurnal:
		low, high, found := strings.Cut(size, "-")
		if !found {
			return w, fmt.Errorf("the workload %q needs two counts: diurnal:10-40", text)
		}
		if w.Least, err = count(low); err == nil {
			w.Most, err = count(high)
		}
		if err == nil && w.Least > w.Most {
			err = fmt.Errorf("%d is more than %d", w.Least, w.Most)
		}
	case Deadline:
		work, within, found := strings.Cut(size, "/")
		if !found {
			return w, fmt.Errorf("the workload %q needs two times, work and deadline: deadline:24h/36h", text)
		}
		w.Least, w.Most = 1, 1
		if w.Work, err = span(work); err == nil {
			w.Within, err = span(within)
		}
		if err == nil && w.Work > w.Within {
			err = fmt.Errorf("%s of work can't be done within %s", w.Work, w.Within)
		}
	case Batch:
		tasks, each, found := strings.Cut(size, "x")
		if !found {
			return w, fmt.Errorf("the workload %q needs a count and a time: batch:40x30m", text)
		}
		if w.PerHour, err = count(tasks); err == nil {
			w.Work, err = span(each)
		}
		// Twice what keeps up with the arrivals, so that a backlog goes down again.
		w.Most = max(1, int(math.Ceil(2*float64(w.PerHour)*w.Work.Hours())))
	default:
		return w, fmt.Errorf("the workload %q is none of steady:20, diurnal:10-40, deadline:24h/36h, batch:40x30m", text)
	}
	if err == nil {
		err = w.set(options)
	}
	if err != nil {
		return w, fmt.Errorf("the workload %q can't be read: %w", text, err)
	}
	return w, nil
}

// set reads "checkpoint=none,restart=5m".
func (w *Workload) set(options string) (err error) {
	if options == "" {
		return nil
	}
	for option := range strings.SplitSeq(options, ",") {
		switch name, value, _ := strings.Cut(option, "="); {
		case name == "checkpoint" && value == "none":
			w.Checkpoint = false
		case name == "checkpoint" && value == "always":
			w.Checkpoint = true
		case name == "restart":
			if w.Restart, err = span(value); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%q is neither checkpoint=none nor restart=6m", option)
		}
	}
	return nil
}

func count(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 100_000 {
		return 0, fmt.Errorf("%q is no count between 1 and 100,000", text)
	}
	return n, nil
}

func span(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no time above zero, such as 36h or 90m", text)
	}
	return d, nil
}

// String is the form that ParseWorkload reads.
func (w Workload) String() string {
	text := w.Kind + ":"
	switch w.Kind {
	case Steady:
		return text + strconv.Itoa(w.Least)
	case Diurnal:
		return fmt.Sprintf("%s%d-%d", text, w.Least, w.Most)
	case Deadline:
		text += brief(w.Work) + "/" + brief(w.Within)
	default:
		text += fmt.Sprintf("%dx%s", w.PerHour, brief(w.Work))
	}
	if !w.Checkpoint {
		text += ",checkpoint=none"
	}
	if w.Restart != usualRestart {
		text += ",restart=" + brief(w.Restart)
	}
	return text
}

// brief is a time without units that are zero: 36h, 90m.
func brief(d time.Duration) string {
	text := d.String()
	text = strings.TrimSuffix(text, "m0s") + map[bool]string{true: "m"}[strings.HasSuffix(text, "m0s")]
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Target is how many instances are wanted at a moment, for Steady and Diurnal.
func (w Workload) Target(t time.Time) int {
	if w.Kind != Diurnal {
		return w.Most
	}
	const low = 4 // o'clock
	hours := t.UTC().Sub(t.UTC().Truncate(24 * time.Hour)).Hours()
	part := (1 - math.Cos(2*math.Pi*(hours-low)/24)) / 2
	return w.Least + int(math.Round(part*float64(w.Most-w.Least)))
}
