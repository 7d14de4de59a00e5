package form

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// members are those of a document that its schema was held to: each is of its type, null, or not there, which is all the same.
type members map[string]any

func membersOf(document []byte) (m members, err error) {
	exact := json.NewDecoder(bytes.NewReader(document))
	exact.UseNumber()
	return m, exact.Decode(&m)
}

func (m members) text(name string) string {
	text, _ := m[name].(string)
	return text
}

func (m members) number(name string) float64 {
	written, _ := m[name].(json.Number)
	number, err := written.Float64()
	if err != nil {
		return 0 // it is not there: the schema lets in no other than numbers
	}
	return number
}

func (m members) isTrue(name string) bool {
	truth, _ := m[name].(bool)
	return truth
}

func (m members) object(name string) members {
	object, _ := m[name].(map[string]any)
	return object
}

func (m members) list(name string) (texts []string) {
	list, _ := m[name].([]any)
	for _, item := range list {
		texts = append(texts, fmt.Sprint(item))
	}
	return texts
}

// texts are scalar members as they are written.
func (m members) texts() map[string]string {
	if len(m) == 0 {
		return nil
	}
	texts := make(map[string]string, len(m))
	for name, value := range m {
		texts[name] = fmt.Sprint(value)
	}
	return texts
}

// lastMoment ends the year 9999; no store keeps what is later.
const lastMoment = 253_402_300_799_999

// moment is a time in epoch milliseconds, of which a fraction is cut off. No job was or will be submitted beyond its ends.
func moment(milliseconds float64) time.Time {
	return time.UnixMilli(int64(min(max(milliseconds, 0), lastMoment))).UTC()
}

// seconds is a length of time, to the millisecond.
func seconds(n float64) time.Duration {
	return time.Duration(math.Round(n*1000)) * time.Millisecond
}
