package aws

import (
	"context"
	"errors"
	"regexp"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/neap-cloud/neap/internal/fault"
)

const (
	sessionName    = "neap-check" // CloudTrail of the account shows it
	sessionSeconds = 900          // AWS gives no shorter sessions
)

// Fields of faults, as AssumeRole's caller knows them.
const (
	FieldRole       = "iamRole"
	FieldExternalID = "externalId"
)

var (
	// Paths and names are at most 512 and 64 characters; the whole ARN is at most 2048.
	roleForm     = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):iam::([0-9]{12}):role/((?:[!-.0-~]+/)*)([A-Za-z0-9_+=,.@-]{1,64})$`)
	externalForm = regexp.MustCompile(`^[A-Za-z0-9_+=,.@:/-]{2,}$`)
)

// AssumeRole proves that Neap may act through a role, by doing so for a moment, and returns the role's account of 12 digits. What the user has to mend
// is fault.Invalid about FieldRole or FieldExternalID, all forms at once; that Neap has no credentials, or AWS no answer within 10 s, is fault.Unavailable.
func (a *AWS) AssumeRole(ctx context.Context, roleARN, externalID string) (account string, err error) {
	account, err = a.checkForms(roleARN, externalID)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if err := a.haveCredentials(ctx); err != nil {
		return "", err
	}
	session, err := a.sts.AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn: &roleARN, ExternalId: &externalID, RoleSessionName: awssdk.String(sessionName), DurationSeconds: awssdk.Int32(sessionSeconds),
	})
	if code(err) == "AccessDenied" {
		return "", a.denied(ctx, cause("AssumeRole", err))
	}
	if err != nil {
		return "", trouble(ctx, "AssumeRole", err)
	}
	if session.Credentials == nil {
		return "", unavailable("AWS let Neap assume the role, but gave it no credentials; try again later.", nil)
	}
	role := credentials.NewStaticCredentialsProvider(awssdk.ToString(session.Credentials.AccessKeyId),
		awssdk.ToString(session.Credentials.SecretAccessKey), awssdk.ToString(session.Credentials.SessionToken))
	identity, err := a.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.Options) { o.Credentials = role })
	if err != nil {
		return "", trouble(ctx, "GetCallerIdentity", err)
	}
	if awssdk.ToString(identity.Account) != account {
		return "", unavailable("AWS says that the role's session belongs to another account than the role; check the endpoint of AWS that is set.", nil)
	}
	return account, nil
}

func (a *AWS) checkForms(roleARN, externalID string) (account string, err error) {
	var faults []*fault.Error
	parts := roleForm.FindStringSubmatch(roleARN)
	switch {
	case parts == nil || len(parts[3]) > 511:
		faults = append(faults, fault.Field(FieldRole, "This is no role's ARN, such as arn:aws:iam::123456789012:role/Neap; the role's page in the IAM console shows it."))
	case parts[1] != partitionOf(a.region):
		faults = append(faults, fault.Field(FieldRole, "The role lies in the partition %s, and this Neap works in %s; take a role from there.", parts[1], partitionOf(a.region)))
	}
	if len(externalID) > 1224 || !externalForm.MatchString(externalID) {
		faults = append(faults, fault.Field(FieldExternalID, "must be 2 to 1224 letters, digits and signs of _+=,.@:/-"))
	}
	if len(faults) > 0 {
		return "", fault.All(faults)
	}
	return parts[2], nil
}

// partitionOf is the separate part of AWS that a region belongs to; roles cannot be assumed from one into another.
func partitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// denied tells whom the role has to trust. AWS answers the same whether the role is missing, trusts somebody else, or Neap itself may not ask.
func (a *AWS) denied(ctx context.Context, why error) error {
	principal, err := a.principal(ctx)
	if err != nil {
		principal = "Neap's principal" // the refusal is what matters
	}
	return fault.Field(FieldRole, "AWS does not let Neap assume this role: it must exist, and its trust policy must name %s and this external id (condition sts:ExternalId). "+
		"Where that is so, %s itself lacks the permission sts:AssumeRole.", principal, principal).With(why)
}

// code is AWS's own word for a refusal, "" for failures of other kinds.
func code(err error) string {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return answer.ErrorCode()
	}
	return ""
}
