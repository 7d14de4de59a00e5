package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// JSON is the whole report but for what only the page draws. Money is in dollars.
func (r Report) JSON() (json.RawMessage, error) {
	type point struct {
		Cost             float64 `json:"cost"`
		PerThousandHours float64 `json:"interruptions_per_1000_hours"`
	}
	type span struct {
		From time.Time `json:"from"`
		To   time.Time `json:"to"`
	}
	frontier := []point{}
	for _, o := range r.Frontier {
		frontier = append(frontier, point{o.Cost.Dollars(), o.PerThousandHours()})
	}
	return json.Marshal(struct {
		Policies  []Policy `json:"policies"`
		Workload  string   `json:"workload"`
		Rule      string   `json:"rule"`
		Floor     int      `json:"on_demand_floor"`
		World     string   `json:"world"`
		Recorded  bool     `json:"recorded"`
		Simulated bool     `json:"simulated"`
		Notice    float64  `json:"notice_seconds"`
		Span      span     `json:"span"`
		Seed      uint64   `json:"seed"`
		Seeds     int      `json:"seeds"`
		Hindsight string   `json:"hindsight"`
		Notes     []string `json:"notes"`
		Frontier  []point  `json:"frontier"`
		Data      []Source `json:"data"`
		Skipped   int      `json:"skipped_rows"`
	}{
		r.Policies, r.Workload.String(), r.Rule, r.Floor, r.World.Name, r.World.Recorded, r.World.Simulated, r.World.Notice.Seconds(),
		span{r.World.From.UTC(), r.World.Until.UTC()}, r.Seeds[0], len(r.Seeds), r.Hindsight, append([]string{}, r.Notes...), frontier, append([]Source{}, r.Data...), r.skipped(),
	})
}

// MarshalJSON writes the figures in their order. What is not known is null, or 0 where a number is promised; "unknown" lists both.
func (p Policy) MarshalJSON() ([]byte, error) {
	name, err := json.Marshal(p.Name)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString(`{"policy":` + string(name))
	unknown := []string{}
	intervals := []string{}
	for _, f := range figures() {
		v := f.value(p)
		text := decimal(v.Mean)
		if !v.isKnown() {
			unknown = append(unknown, strconv.Quote(f.name))
			text = "null"
			if f.always {
				text = "0"
			}
		} else if len(p.Runs) > 1 {
			intervals = append(intervals, strconv.Quote(f.name)+":["+decimal(v.Low)+","+decimal(v.High)+"]")
		}
		out.WriteString(`,"` + f.name + `":` + text)
	}
	out.WriteString(`,"bound":` + strconv.FormatBool(p.Bound) + `,"unknown":[` + strings.Join(unknown, ",") + "]")
	if len(p.Runs) > 1 {
		out.WriteString(`,"intervals":{` + strings.Join(intervals, ",") + "}")
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// decimal has at most six places, which is a micro-dollar.
func decimal(v float64) string {
	return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64)
}

// CSV writes one line for each policy under a line of names. What is not known is empty.
func (r Report) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	head := []string{"policy"}
	for _, f := range figures() {
		head = append(head, f.name)
	}
	head = append(head, "bound", "workload", "world", "recorded", "simulated", "from", "to", "seed", "seeds")
	if len(r.Seeds) > 1 {
		for _, f := range figures() {
			head = append(head, f.name+"_low", f.name+"_high")
		}
	}
	lines := [][]string{head}
	for _, p := range r.Policies {
		lines = append(lines, r.line(p))
	}
	return out.WriteAll(lines)
}

// line of a policy, under the head of CSV.
func (r Report) line(p Policy) []string {
	known := func(v float64) string {
		if math.IsNaN(v) {
			return ""
		}
		return decimal(v)
	}
	line, intervals := []string{p.Name}, []string{}
	for _, f := range figures() {
		v := f.value(p)
		line = append(line, known(v.Mean))
		intervals = append(intervals, known(v.Low), known(v.High))
	}
	w := r.World
	line = append(line, strconv.FormatBool(p.Bound), r.Workload.String(), w.Name, strconv.FormatBool(w.Recorded), strconv.FormatBool(w.Simulated),
		w.From.UTC().Format(time.RFC3339), w.Until.UTC().Format(time.RFC3339), strconv.FormatUint(r.Seeds[0], 10), strconv.Itoa(len(r.Seeds)))
	if len(r.Seeds) > 1 {
		line = append(line, intervals...)
	}
	return line
}
