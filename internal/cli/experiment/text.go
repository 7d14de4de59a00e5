package experiment

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cli/table"
)

type enrolment struct {
	Group      string    `json:"group"`
	By         string    `json:"by"`
	Since      time.Time `json:"since"`
	Experiment string    `json:"experiment"`
}

type view struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	State    string `json:"state"`
	Hash     string `json:"hash"`
	Protocol struct {
		Groups      []string  `json:"groups"`
		Baseline    string    `json:"baseline"`
		Measure     string    `json:"measure"`
		Begins      time.Time `json:"begins"`
		Ends        time.Time `json:"ends"`
		For         string    `json:"for"`
		SwitchEvery string    `json:"switchEvery"`
		WashOut     string    `json:"washOut"`
		Pairs       int       `json:"pairsOfBlocks"`
		Seed        uint64    `json:"seed"`
		Design      string    `json:"design"`
		Analysis    string    `json:"analysis"`
	} `json:"protocol"`
	Outlook struct {
		Words string `json:"words"`
	} `json:"outlook"`
	Author    string    `json:"author"`
	Created   time.Time `json:"created"`
	Ended     time.Time `json:"ended"`
	StoppedBy string    `json:"stoppedBy"`
	Measured  int       `json:"blocksMeasured"`
	Expected  int       `json:"blocksExpected"`
	Complete  bool      `json:"complete"`
	Schedule  []struct {
		Group  string `json:"group"`
		Blocks []struct {
			Begins time.Time `json:"begins"`
			Policy string    `json:"policy"`
		} `json:"blocks"`
	} `json:"schedule"`
}

func listText(w io.Writer, wide bool, list []view) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "No experiments. neap experiment create makes one.")
		return err
	}
	return table.Write(w, wide, []table.Column[view]{
		{Head: "NAME", Cell: func(e view) string { return e.Name }},
		{Head: "STATE", Cell: func(e view) string { return e.State }},
		{Head: "BASELINE", Cell: func(e view) string { return e.Protocol.Baseline }},
		{Head: "GROUPS", Cell: func(e view) string { return strconv.Itoa(len(e.Protocol.Groups)) }},
		{Head: "BEGINS", Cell: func(e view) string { return stamp(e.Protocol.Begins) }},
		{Head: "ENDS", Cell: func(e view) string { return stamp(e.Protocol.Ends) }},
		{Head: "MEASURED", Cell: view.measured},
		{Head: "ID", Wide: true, Cell: func(e view) string { return e.ID }},
		{Head: "PROTOCOL", Wide: true, Cell: func(e view) string { return e.Hash }},
	}, list)
}

func (e view) measured() string {
	return fmt.Sprintf("%d of %d blocks", e.Measured, e.Expected)
}

// write shows what was fixed, and how far it is.
func (e view) write(w io.Writer) error {
	p := e.Protocol
	ended := ""
	if !e.Ended.IsZero() {
		ended = stamp(e.Ended)
	}
	if e.StoppedBy != "" {
		ended += ", stopped by " + e.StoppedBy
	}
	return table.WritePairs(w, []table.Pair{
		{"experiment", e.Name},
		{"id", e.ID},
		{"state", e.State},
		{"protocol", e.Hash},
		{"groups", strings.Join(p.Groups, ", ")},
		{"baseline", p.Baseline},
		{"measure", p.Measure},
		{"from", stamp(p.Begins)},
		{"to", fmt.Sprintf("%s, %s", stamp(p.Ends), p.For)},
		{"design", fmt.Sprintf("%s: %d pairs for each group, a switch every %s, the first %s not measured, seed %d", p.Design, p.Pairs, p.SwitchEvery, p.WashOut, p.Seed)},
		{"analysis", p.Analysis},
		{"can show", e.Outlook.Words},
		{"created", stamp(e.Created) + " by " + e.Author},
		{"ended", ended},
		{"measured", e.measured() + " of each group"},
	})
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func groupsText(w io.Writer, wide bool, list []enrolment) error {
	return table.Write(w, wide, []table.Column[enrolment]{
		{Head: "GROUP", Cell: func(v enrolment) string { return v.Group }},
		{Head: "EXPERIMENT", Cell: func(v enrolment) string { return v.Experiment }},
		{Head: "OPTED IN BY", Cell: func(v enrolment) string { return v.By }},
		{Head: "SINCE", Cell: func(v enrolment) string { return stamp(v.Since) }},
	}, list)
}

const shownBlocks = 6

// writeSchedule shows who weighs which group's markets now and next.
func (e view) writeSchedule(w io.Writer, now time.Time) error {
	if len(e.Schedule) == 0 {
		return nil
	}
	first := 0
	for n, block := range e.Schedule[0].Blocks {
		if !block.Begins.After(now) {
			first = n
		}
	}
	last := min(first+shownBlocks, len(e.Schedule[0].Blocks))
	columns := []table.Column[int]{{Head: "GROUP", Cell: func(row int) string { return e.Schedule[row].Group }}}
	for n := first; n < last; n++ {
		head := "FROM " + e.Schedule[0].Blocks[n].Begins.UTC().Format("01-02 15:04")
		columns = append(columns, table.Column[int]{Head: head, Cell: func(row int) string { return e.Schedule[row].Blocks[n].Policy }})
	}
	rows := make([]int, len(e.Schedule))
	for n := range rows {
		rows[n] = n
	}
	if _, err := fmt.Fprintf(w, "\nBlocks %d to %d of %d\n", first+1, last, len(e.Schedule[0].Blocks)); err != nil {
		return err
	}
	return table.Write(w, true, columns, rows)
}

type report struct {
	Experiment view     `json:"experiment"`
	Peek       bool     `json:"peek"`
	Verdict    string   `json:"verdict"`
	Caveats    []string `json:"caveats"`
	Counted    int      `json:"pairsCounted"`
	Estimates  []struct {
		Measure string `json:"measure"`
		Primary bool   `json:"primary"`
		Words   string `json:"words"`
	} `json:"estimates"`
	Policies []struct {
		Policy string `json:"policy"`
		block
	} `json:"policies"`
	Pairs []pairOfBlocks `json:"pairs"`
}

type block struct {
	Cost          float64 `json:"cost"`
	OnDemand      float64 `json:"onDemandCost"`
	CapacityHours float64 `json:"capacityHours"`
	InstanceHours float64 `json:"instanceHours"`
	UnitCost      float64 `json:"costPerCapacityHour"`
	Spot          float64 `json:"spotShare"`
	Own           float64 `json:"ownShare"`
	Interruptions int     `json:"interruptions"`
	Rate          float64 `json:"interruptionsPer1000Hours"`
	Moves         int     `json:"moves"`
}

type pairOfBlocks struct {
	Group    string    `json:"group"`
	Pair     int       `json:"pair"`
	Begins   time.Time `json:"begins"`
	First    string    `json:"first"`
	Model    block     `json:"model"`
	Baseline block     `json:"baseline"`
	LeftOut  string    `json:"leftOut"`
}

// side is one policy's sum, as a row of a table.
type side struct {
	name string
	block
}

// write says first what was found, then what it rests on.
func (r report) write(w io.Writer) error {
	var head strings.Builder
	if r.Peek {
		fmt.Fprintf(&head, "A PEEK, before the experiment is complete: %s. Stopping because of what stands here would make it mean nothing.\n\n", r.Experiment.measured())
	}
	head.WriteString(r.Verdict + "\n")
	for _, e := range r.Estimates {
		if !e.Primary {
			fmt.Fprintf(&head, "Besides, of %s: %s\n", strings.ReplaceAll(e.Measure, "-", " "), e.Words)
		}
	}
	for _, caveat := range r.Caveats {
		fmt.Fprintf(&head, "Note: %s\n", caveat)
	}
	head.WriteString("\n")
	if _, err := io.WriteString(w, head.String()); err != nil {
		return err
	}
	var sides []side
	for _, p := range r.Policies {
		sides = append(sides, side{p.Policy, p.block})
	}
	percent := func(x float64) string { return fmt.Sprintf("%.0f%%", 100*x) }
	err := table.Write(w, true, []table.Column[side]{
		{Head: "POLICY", Cell: func(v side) string { return v.name }},
		{Head: "COST", Cell: func(v side) string { return fmt.Sprintf("$%.4f", v.Cost) }},
		{Head: "CAPACITY HOURS", Cell: func(v side) string { return fmt.Sprintf("%.1f", v.CapacityHours) }},
		{Head: "PER HOUR", Cell: func(v side) string { return fmt.Sprintf("$%.6f", v.UnitCost) }},
		{Head: "OF ON DEMAND", Cell: func(v side) string {
			if v.OnDemand == 0 {
				return ""
			}
			return percent(v.Cost / v.OnDemand)
		}},
		{Head: "SPOT", Cell: func(v side) string { return percent(v.Spot) }},
		{Head: "OWN", Cell: func(v side) string { return percent(v.Own) }},
		{Head: "INTERRUPTIONS", Cell: func(v side) string { return strconv.Itoa(v.Interruptions) }},
		{Head: "PER 1,000 h", Cell: func(v side) string { return fmt.Sprintf("%.2f", v.Rate) }},
		{Head: "MOVES", Cell: func(v side) string { return strconv.Itoa(v.Moves) }},
	}, sides)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\n%d of %d pairs count. Protocol %s\n", r.Counted, len(r.Experiment.Protocol.Groups)*r.Experiment.Protocol.Pairs, r.Experiment.Hash)
	return err
}

// writeCSV is one row for each block, with the protocol's hash in each, so that a file explains itself.
func writeCSV(w io.Writer, raw json.RawMessage) error {
	var r report
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("the server's answer has an unexpected form: %w", err)
	}
	out := csv.NewWriter(w)
	rows := [][]string{{
		"protocol", "group", "pair", "begins", "policy", "first", "cost", "on_demand_cost", "capacity_hours", "instance_hours", "cost_per_capacity_hour", "spot_share", "own_share",
		"interruptions", "moves", "left_out",
	}}
	exact := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	for _, p := range r.Pairs {
		for _, one := range []side{{"model", p.Model}, {r.Experiment.Protocol.Baseline, p.Baseline}} {
			rows = append(rows, []string{
				r.Experiment.Hash, p.Group, strconv.Itoa(p.Pair), p.Begins.UTC().Format(time.RFC3339), one.name, strconv.FormatBool(p.First == one.name), exact(one.Cost), exact(one.OnDemand),
				exact(one.CapacityHours), exact(one.InstanceHours), exact(one.UnitCost), exact(one.Spot), exact(one.Own), strconv.Itoa(one.Interruptions), strconv.Itoa(one.Moves), p.LeftOut,
			})
		}
	}
	return out.WriteAll(rows)
}
