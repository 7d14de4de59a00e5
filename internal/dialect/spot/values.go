package spot

import (
	"strconv"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
)

// Time is written as RFC 3339 in UTC with milliseconds and Z, the one form that all clients read; the zero time is null.
type Time time.Time

const wireTime = "2006-01-02T15:04:05.000Z"

// MarshalJSON writes the wire form.
func (t Time) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.String() + `"`), nil
}

func (t Time) String() string { return time.Time(t).UTC().Format(wireTime) }

// millisFrom is the size from which a Unix number is read as milliseconds: as seconds it would lie 3,000 years ahead.
const millisFrom = 100_000_000_000

// Date reads a date query: an ISO date (its first moment), an ISO date and time, Unix seconds, or Unix milliseconds; UTC unless it says otherwise.
// An empty or unreadable one is a fault of the named query.
func Date(name, text string) (time.Time, *fault.Error) {
	if text == "" {
		return time.Time{}, fault.Field(name, "The query needs %s, for example %s=2024-05-01 or Unix milliseconds.", name, name)
	}
	if number, err := strconv.ParseInt(text, 10, 64); err == nil && number >= 0 && number < 1e15 {
		if number >= millisFrom {
			return time.UnixMilli(number).UTC(), nil
		}
		return time.Unix(number, 0).UTC(), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05-0700", time.DateOnly, time.DateTime} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fault.Field(name, "%q is no date; use 2024-05-01, 2024-05-01T10:00:00Z, Unix seconds or Unix milliseconds.", text)
}

// Span reads a pair of date queries, the first inclusive, the second exclusive. It refuses a span that is upside down or lies in the future.
func Span(from, to string, now time.Time) (begin, end time.Time, err error) {
	begin, wrongFrom := Date("fromDate", from)
	end, wrongTo := Date("toDate", to)
	var faults []*fault.Error
	for _, one := range []*fault.Error{wrongFrom, wrongTo} {
		if one != nil {
			faults = append(faults, one)
		}
	}
	switch {
	case len(faults) > 0:
	case begin.After(end):
		faults = append(faults, fault.Field("fromDate", "fromDate lies after toDate; swap them."))
	case begin.After(now):
		faults = append(faults, fault.Field("fromDate", "fromDate lies in the future; nothing has happened there yet."))
	}
	return begin, end, fault.All(faults)
}
