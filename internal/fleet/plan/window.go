package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

const (
	minutesPerDay  = 24 * 60
	minutesPerWeek = 7 * minutesPerDay
)

// days are the weekday names of a window, Monday first.
func days() [7]string { return [7]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"} }

// ParseWindow reads "Mon:03:00-Wed:02:30", in UTC; day names in any case. A span may wrap the end of the week. Bad text is fault.Invalid; callers set the Field.
func ParseWindow(text string) (Window, error) {
	from, until, found := strings.Cut(text, "-")
	start, okStart := weekMinute(from)
	end, okEnd := weekMinute(until)
	if !found || !okStart || !okEnd {
		return Window{}, fault.Of(fault.Invalid, "window", "The time window %q is not of the form Mon:03:00-Wed:02:30 (UTC).", text)
	}
	if start == end {
		return Window{}, fault.Of(fault.Invalid, "window", "The time window %q is empty: it ends when it begins.", text)
	}
	return Window{From: start, To: end}, nil
}

// weekMinute reads "Mon:03:00" as minutes since Monday 00:00.
func weekMinute(text string) (int, bool) {
	parts := strings.Split(strings.TrimSpace(text), ":")
	if len(parts) != 3 || len(parts[1]) != 2 || len(parts[2]) != 2 {
		return 0, false
	}
	hour, errHour := strconv.ParseUint(parts[1], 10, 8)
	minute, errMinute := strconv.ParseUint(parts[2], 10, 8)
	if errHour != nil || errMinute != nil || hour > 23 || minute > 59 {
		return 0, false
	}
	for n, day := range days() {
		if strings.EqualFold(day, parts[0]) {
			return n*minutesPerDay + int(hour)*60 + int(minute), true
		}
	}
	return 0, false
}

// String is the form that ParseWindow reads.
func (w Window) String() string { return weekText(w.From) + "-" + weekText(w.To) }

func weekText(minute int) string {
	return fmt.Sprintf("%s:%02d:%02d", days()[minute/minutesPerDay%7], minute/60%24, minute%60)
}

// Contains reports whether t lies in the window; its end is outside.
func (w Window) Contains(t time.Time) bool {
	at := minuteOfWeek(t)
	if w.From < w.To {
		return w.From <= at && at < w.To
	}
	return at >= w.From || at < w.To
}

// Next is the window's first start after t.
func (w Window) Next(t time.Time) time.Time {
	wait := (w.From - minuteOfWeek(t) + minutesPerWeek) % minutesPerWeek
	if wait == 0 {
		wait = minutesPerWeek
	}
	return t.UTC().Truncate(time.Minute).Add(time.Duration(wait) * time.Minute)
}

func minuteOfWeek(t time.Time) int {
	t = t.UTC()
	sinceMonday := (int(t.Weekday()) + 6) % 7
	return sinceMonday*minutesPerDay + t.Hour()*60 + t.Minute()
}
