package market

import (
	"context"
	"fmt"

	"github.com/neap-cloud/neap/internal/store"
)

// Silent tells which feeds ("aws/us-east-1") justify no move, in a sentence each: they have told nothing for too long, or nothing that can be believed.
func (m *Market) Silent(ctx context.Context) (map[string]string, error) {
	heads, err := m.heads(ctx)
	if err != nil {
		return nil, err
	}
	now, feeds := m.clock.Now(), map[string]string{}
	for _, head := range heads {
		newest, _, err := prices().List(ctx, m.db, everybody(), store.Query{States: []string{head.ID}, Descending: true, Limit: 1})
		if err != nil {
			return nil, err
		}
		switch {
		case head.Value.Doubt != "":
			feeds[head.ID] = fmt.Sprintf("The price feed of %s is not believed: %s. The last good prices stay, and nothing is moved there to save money.", head.ID, head.Value.Doubt)
		case len(newest) == 0 || now.Sub(newest[0].At) > freshFor:
			feeds[head.ID] = fmt.Sprintf("The price feed of %s has told nothing for 24 hours: nothing is moved there to save money.", head.ID)
		}
	}
	return feeds, nil
}

// Odd tells which feeds are believed but for single prices, in a sentence each.
func (m *Market) Odd(ctx context.Context) (map[string]string, error) {
	heads, err := m.heads(ctx)
	if err != nil {
		return nil, err
	}
	feeds := map[string]string{}
	for _, head := range heads {
		if head.Value.LeftOut != "" {
			feeds[head.ID] = fmt.Sprintf("The price feed of %s tells prices that no market has: %s. They are left out, and the last good ones of these markets stay.", head.ID, head.Value.LeftOut)
		}
	}
	return feeds, nil
}

// heads are the documents of all regions that tell whether their feeds are believed.
func (m *Market) heads(ctx context.Context) ([]store.Doc[page], error) {
	heads, _, err := prices().List(ctx, m.db, everybody(), store.Query{States: []string{headState}})
	return heads, err
}
