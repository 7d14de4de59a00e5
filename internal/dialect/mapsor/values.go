package mapsor

import "time"

// lastMoment is the last second of the year 9999; no store keeps what is later.
const lastMoment = 253_402_300_799_000

// moment is a time in epoch milliseconds, of which a fraction is cut off. No job was or will be submitted beyond its ends.
func moment(milliseconds float64) time.Time {
	return time.UnixMilli(int64(min(max(milliseconds, 0), lastMoment))).UTC()
}

// epoch writes a time in epoch milliseconds; nil = it has not come.
func epoch(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	milliseconds := t.UnixMilli()
	return &milliseconds
}

// orNull writes a text that may be absent.
func orNull[T ~string](text T) *T {
	if text == "" {
		return nil
	}
	return &text
}
