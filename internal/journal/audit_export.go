package journal

import (
	"context"
	"encoding/hex"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/journal/chain"
	"github.com/neap-cloud/neap/internal/store"
)

// AuditExport is a part of the audit that can be verified without this installation.
type AuditExport struct {
	chain.Preface
	Lines []chain.Line
	Next  int64 // the place that the next part begins behind; 0 at the end
}

// ExportAudit reads up to limit entries behind the place after (0 = from where the chain begins) and up to the place until (0 = the newest that is signed for). Entries
// of other organisations are there as digests only. fault.NotFound while nothing has been signed.
func (j *Journal) ExportAudit(ctx context.Context, organisation string, after, until int64, limit int) (AuditExport, error) {
	nothing := fault.Of(fault.NotFound, "audit", "No audit entry has been sealed and signed for yet; change something, and ask again a second later.")
	if j.signer == nil {
		return AuditExport{}, nothing
	}
	public, err := j.signer.PublicKey()
	if err != nil {
		return AuditExport{}, err
	}
	all, _, err := marks.List(ctx, j.db, store.Installation(), store.Query{})
	if err != nil {
		return AuditExport{}, err
	}
	export := AuditExport{Preface: chain.Preface{Format: chain.Format, PublicKey: hex.EncodeToString(public)}}
	valid := signedBy(public, all)
	export.Begin, _ = beginning(valid)
	for _, m := range valid {
		if m.State == chain.Sealed && m.Value.Seq > export.Head.Seq {
			export.Head = m.Value
		}
	}
	if export.Begin.Kind == "" || export.Head.Kind == "" {
		return AuditExport{}, nothing
	}
	if until == 0 || until > export.Head.Seq {
		until = export.Head.Seq
	}
	previous := export.Begin.Hash
	if after <= export.Begin.Seq {
		after = export.Begin.Seq
	} else {
		before, err := audit.Newest(ctx, j.db, after, true)
		if err != nil {
			return AuditExport{}, err
		}
		if before.Seq > export.Begin.Seq {
			previous = *hashOf(&before)
		}
	}
	err = audit.Raw(ctx, j.db, after, until, limit, func(r *store.Raw) error {
		hash := hashOf(r)
		export.Lines = append(export.Lines, chain.NewLine(entryOf(r), hash, previous, r.Resource == organisation))
		if hash != nil {
			previous = *hash
		}
		if len(export.Lines) == limit && r.Seq < until {
			export.Next = r.Seq
		}
		return nil
	})
	return export, err
}
