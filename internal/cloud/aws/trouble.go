package aws

import (
	"context"
	"errors"
	"fmt"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/neap-cloud/neap/internal/fault"
)

const howToGive = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for it, or AWS_PROFILE, or run it on a machine whose role may call sts:AssumeRole."

func unavailable(sentence string, why error) *fault.Error {
	return fault.Of(fault.Unavailable, "cloud", "%s", sentence).With(why)
}

// trouble is the sentence for a call that failed for another reason than that the role refused it.
func trouble(ctx context.Context, call string, err error) *fault.Error {
	why := cause(call, err)
	switch code(err) {
	case "InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException", "ExpiredToken", "ExpiredTokenException", "InvalidToken",
		"AuthFailure", "IncompleteSignature", "MissingAuthenticationToken", "MissingAuthenticationTokenException", "InvalidAccessKeyId":
		return unavailable("AWS refuses Neap's own credentials (expired, deleted, or this machine's clock is wrong); "+howToGive, why)
	case "Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
		"TooManyRequestsException", "SlowDown", "PriorRequestNotComplete":
		return unavailable("AWS asks Neap to be slower; try again in a minute.", why)
	case "RegionDisabledException":
		return unavailable("The account has switched STS off in the region that Neap works in; switch it on in the IAM console, or give Neap another region.", why)
	case "ValidationError", "InvalidParameterValue":
		return fault.Field(FieldRole, "AWS does not take this role together with this external id; check both for slips of the pen.").With(why)
	case "AccessDenied":
		return unavailable("AWS denies Neap's own credentials everything; lift what blocks them (a service control policy, a deactivated user).", why)
	case "":
		return silent(ctx, why)
	}
	return unavailable(fmt.Sprintf("AWS could not check this (%s); try again later.", code(err)), why)
}

func silent(ctx context.Context, why error) *fault.Error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return unavailable("The check of AWS was broken off.", ctx.Err())
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return unavailable(fmt.Sprintf("AWS gave no answer within %s; try again later.", answerTime), ctx.Err())
	}
	return unavailable("AWS can't be reached; try again later, and check this machine's way out and the endpoint of AWS that is set.", why)
}

// cause is what the log may know of a failure. AWS quotes the signed request in some refusals, session token included, so of an answer only its code
// and its number are kept.
func cause(call string, err error) error {
	if code(err) == "" {
		return fmt.Errorf("%s: %w", call, err)
	}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		return fmt.Errorf("%s: status %d, code %s, request %s", call, answer.HTTPStatusCode(), code(err), answer.ServiceRequestID())
	}
	return fmt.Errorf("%s: code %s", call, code(err))
}
