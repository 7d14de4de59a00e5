package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/fleet/call"
	"github.com/neap-cloud/neap/internal/fleet/offer"
)

const (
	checkFor  = 10 * time.Minute // a template that was found good is not asked about again for so long: checks use up the account's calls
	checkMany = 10_000           // remembered templates
)

// checkTemplate asks the cloud what is wrong with the template before anything is stored.
func (f *Fleet) checkTemplate(ctx context.Context, account string, intent Intent) error {
	asked := offer.Template(intent, "")
	text, err := json.Marshal(asked)
	if err != nil {
		return fmt.Errorf("encode template: %w", err)
	}
	key := sha256.Sum256(fmt.Appendf(text, "%s/%s", account, intent.Region))
	now := f.Clock.Now()
	if f.good.Has(key, now) {
		return nil
	}
	provider, err := f.provider(ctx, account)
	if err != nil {
		return err
	}
	refusals, err := provider.Check(ctx, intent.Region, asked)
	if r := call.Denied(err); r != nil {
		return fault.Of(fault.Unavailable, "cloud", "The cloud denies account %s what checking the group needs: %s (%s). Check the account's credentials and permissions.", account, r.Message, r.Code).With(err)
	}
	if err != nil {
		return fault.Of(fault.Unavailable, "cloud", "The cloud did not answer while the group was checked; try again.").With(err)
	}
	var faults []*fault.Error
	for _, r := range refusals {
		faults = append(faults, fault.Of(fault.Invalid, "template", "%s (%s)", r.Message, r.Code))
	}
	if len(faults) == 0 {
		f.good.Put(key, now)
	}
	return fault.All(faults)
}
