package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/neap-cloud/neap/internal/cloud"
	"github.com/neap-cloud/neap/internal/cloud/sim/physics"
)

// Describe lists instances in order of launch. Some reads are up to Info().Settle old: a new instance may be missing from them, a
// changed one may show its former state.
func (a *Account) Describe(ctx context.Context, q cloud.Query) ([]cloud.Instance, error) {
	return do(ctx, a, DescribeCall, q.Region, func() ([]cloud.Instance, error) {
		a.cloud.reads.add(DescribeCall)
		now := a.cloud.now()
		if a.cloud.faults.isBlank(q.Region, now) || a.cloud.find(q.Region, BlankTrouble, anyway) != nil {
			return nil, nil
		}
		found, err := a.selected(ctx, q, now)
		if err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(found, func(i *instance) bool { return a.cloud.seenAt(i, now) < i.launched })
		return showAll(found, func(i *instance) physics.Instant { return a.cloud.seenAt(i, now) })
	})
}

// selected reads what a query selects, in order of launch.
func (a *Account) selected(ctx context.Context, q cloud.Query, now physics.Instant) ([]*instance, error) {
	db, since := a.cloud.db, now-physics.Lasting(a.cloud.tuning.Remember)
	if q.IDs == nil {
		condition := "account = ? AND region = ? AND gone_at > ?"
		args := []any{a.id, q.Region, int64(since)}
		for key, value := range q.Tags {
			condition += " AND " + db.find("tags") + " > 0"
			args = append(args, encodeTag(key, value))
		}
		return readInstances(ctx, db, db.reads, condition, args...)
	}
	var found []*instance
	for chunk := range slices.Chunk(q.IDs, 500) {
		some, err := byID(ctx, db, db.reads, chunk)
		if err != nil {
			return nil, err
		}
		found = append(found, slices.DeleteFunc(some, func(i *instance) bool { return !a.shows(i, q, since) })...)
	}
	return found, nil
}

// shows reports whether a query selects an instance, apart from its id.
func (a *Account) shows(i *instance, q cloud.Query, since physics.Instant) bool {
	if i.account != a.id || i.market.Region != q.Region || i.gone <= since {
		return false
	}
	for key, value := range q.Tags {
		if !strings.Contains(i.tags, encodeTag(key, value)) {
			return false
		}
	}
	return true
}

// seenAt is the moment that a read at now shows of an instance: now, or (seldom) up to Settle earlier. It stays the same for a second.
func (c *Cloud) seenAt(i *instance, now physics.Instant) physics.Instant {
	if c.tuning.StaleReads == 0 || c.tuning.Settle == 0 {
		return now
	}
	d := c.dice.On("read").At(i.seq).At(int64(now / physics.Second))
	if !d.Chance(c.tuning.StaleReads) {
		return now
	}
	return now - d.Between(0, physics.Lasting(c.tuning.Settle))
}

// encodeTag is how a tag stands in the JSON text of instance.tags; with an empty value only its key. Quotes inside strings are escaped,
// so neither can be found inside another tag.
func encodeTag(key, value string) string {
	text, err := json.Marshal(map[string]string{key: value})
	if err != nil {
		panic(fmt.Sprintf("a tag is always encodable: %v", err))
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(string(text), "{"), "}")
	if value == "" {
		return strings.TrimSuffix(inner, `""`)
	}
	return inner
}

// Tag sets tags of living instances; an empty value removes the tag.
func (a *Account) Tag(ctx context.Context, region string, ids []string, tags map[string]string) error {
	return a.change(ctx, TagCall, region, ids, func(_ context.Context, _ runner, i *instance, now physics.Instant) error {
		if now >= i.gone {
			return unknown(i.id)
		}
		all := map[string]string{}
		if err := json.Unmarshal([]byte(i.tags), &all); err != nil {
			return err
		}
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, tags)
		maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
		text, err := json.Marshal(all)
		i.tags = string(text)
		return err
	})
}
