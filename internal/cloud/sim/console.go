package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// ConsoleOutput is what befell an instance, and says in every line that it is simulated: nothing runs on it that could write there.
func (a *Account) ConsoleOutput(ctx context.Context, region, id string) (text string, at time.Time, err error) {
	text, err = do(ctx, a, ConsoleCall, region, func() (string, error) {
		now := a.cloud.now()
		found, err := a.selected(ctx, cloud.Query{Region: region, IDs: []string{id}}, now)
		if err != nil {
			return "", err
		}
		if len(found) == 0 {
			return "", &cloud.Refusal{Kind: cloud.Unknown, Code: "InvalidInstanceID.NotFound", Message: fmt.Sprintf("The instance ID %q does not exist.", id)}
		}
		at = now.Time()
		return found[0].console(now), nil
	})
	return text, at, err
}

// console is what an instance's console shows at a moment. What was shown once stays, unless its tags change.
func (i *instance) console(now physics.Instant) string {
	type entry struct {
		at   physics.Instant
		said string
	}
	entries := []entry{
		{i.launched, fmt.Sprintf("%s, %s %s in %s, boots from %s; nothing runs on it.", i.id, i.market.Lifecycle, i.market.Type, i.market.Zone, i.image)},
		{i.launched, "Its tags: " + i.tags},
		{i.running, "It runs, at " + i.privateIP + "."},
		{i.notice, "The cloud announces that it takes it back."},
		{i.ends, "It shuts down (" + i.ended + ")."},
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return int(min(1, max(-1, a.at-b.at))) })
	var shown strings.Builder
	for _, e := range entries {
		if e.at <= now && e.at <= i.ends {
			fmt.Fprintf(&shown, "%s simulated: %s\n", e.at.Time().UTC().Format(time.RFC3339), e.said)
		}
	}
	return shown.String()
}
