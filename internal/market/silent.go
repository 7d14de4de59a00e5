package market

import (
	"context"

	"github.com/neap-cloud/neap/internal/store"
)

// Silent lists the feeds ("aws/us-east-1") that have told nothing for so long that their prices are not moved on any more.
func (m *Market) Silent(ctx context.Context) (feeds []string, err error) {
	heads, _, err := prices().List(ctx, m.db, everybody(), store.Query{States: []string{headState}})
	if err != nil {
		return nil, err
	}
	now := m.clock.Now()
	for _, head := range heads {
		newest, _, err := prices().List(ctx, m.db, everybody(), store.Query{States: []string{head.ID}, Descending: true, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(newest) == 0 || now.Sub(newest[0].At) > freshFor {
			feeds = append(feeds, head.ID)
		}
	}
	return feeds, nil
}
