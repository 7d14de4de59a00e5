package main

import (
	"slices"
	"strings"

	"github.com/neap-cloud/neap/internal/fleet/plan"
)

// runFrontier shows what fewer interruptions cost: under our rules, with wishes for a lifetime and consent to go back to spot, under the yardsticks, and with hindsight.
func runFrontier(b *bench, r *result) error {
	all, err := b.recordings(r)
	if err != nil {
		return err
	}
	who := field()
	for _, hours := range []int{1, 3, 6, 12, 24} {
		who = append(who, lasting(plan.Balanced, hours))
	}
	who = append(who, returning(plan.AvailabilityOriented, 0), returning(plan.AvailabilityOriented, 12))
	for _, minutes := range []int{3, 15, 60, 240, 960, 3840} {
		who = append(who, hindsight(minutes))
	}
	arenas, err := b.recordedArenas(all, who)
	if err != nil {
		return err
	}
	r.note("Both halves together. Hindsight with a number of minutes pays that many minutes of the list price to be spared one interruption: no policy, however well it foresees, is both cheaper and calmer than that line. It weighs a whole recording at once, and so has no interval.")
	var panels []panel
	for n, a := range arenas {
		merged := arena{name: a.name}
		merged.parts[0] = slices.Concat(a.parts[0], a.parts[1])
		merged.parts[1] = merged.parts[0]
		t, both := versus(a.name, []arena{merged}, who, false)
		var rows [][]cell
		for n := 0; n < len(t.Rows); n += 2 {
			rows = append(rows, slices.Delete(t.Rows[n], 1, 2))
		}
		t.Rows, t.Columns, t.Detail = rows, slices.Delete(t.Columns, 1, 2), true
		r.Tables = append(r.Tables, t)
		title, _, _ := strings.Cut(all[n].name, ":")
		panels = append(panels, panelOf(title, who, both[0]))
	}
	r.pictures = map[string][]byte{"market-frontier.svg": draw(panels)}
	return nil
}
