package cloud

import (
	"context"
	"fmt"

	"github.com/neap-cloud/neap/internal/catalog"
)

// Offerer is the ability to tell which types a region sells to this account, and in which of its zones. All of them, or an error.
type Offerer interface {
	Offerings(ctx context.Context, region string) ([]catalog.Sold, error)
}

// Learn amends a catalogue by what a provider's region really sells. A provider that can't tell leaves it as it is.
func Learn(ctx context.Context, facts *catalog.Cloud, p Provider, region string) error {
	offerer, ok := As[Offerer](p)
	if !ok {
		return nil
	}
	sold, err := offerer.Offerings(ctx, region)
	if err != nil {
		return fmt.Errorf("what is sold in %s: %w", region, err)
	}
	facts.Amend(region, sold)
	return nil
}
