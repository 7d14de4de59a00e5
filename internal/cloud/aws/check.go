package aws

import (
	"context"

	"github.com/neap-cloud/neap/internal/cloud"
)

// Check is cloud.Provider's.
func (a *Account) Check(ctx context.Context, region string, template cloud.Template) ([]*cloud.Refusal, error) {
	return checkForms(template), nil
}
