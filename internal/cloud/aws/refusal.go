package aws

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/neap-cloud/neap/internal/cloud"
)

// refusals says what AWS's own words mean for a caller. A code that is not here stands for a request that will never work, unless AWS itself failed.
var refusals = map[string]cloud.Refusal{
	"InsufficientInstanceCapacity":                      {Kind: cloud.NoCapacity, Scope: cloud.ScopePool},
	"InsufficientHostCapacity":                          {Kind: cloud.NoCapacity, Scope: cloud.ScopePool},
	"InsufficientReservedInstanceCapacity":              {Kind: cloud.NoCapacity, Scope: cloud.ScopePool},
	"InsufficientCapacity":                              {Kind: cloud.NoCapacity, Scope: cloud.ScopePool},
	"UnfulfillableCapacity":                             {Kind: cloud.NoCapacity, Scope: cloud.ScopePool},
	"SpotMaxPriceTooLow":                                {Kind: cloud.NoCapacity, Scope: cloud.ScopePool},
	"Unsupported":                                       {Kind: cloud.NoCapacity, Scope: cloud.ScopePool}, // the type is not sold in that zone
	"InvalidFleetConfiguration":                         {Kind: cloud.NoCapacity, Scope: cloud.ScopePool}, // a fleet's word for the same
	"InsufficientFreeAddressesInSubnet":                 {Kind: cloud.NoCapacity, Scope: cloud.ScopeSubnet},
	"InstanceLimitExceeded":                             {Kind: cloud.NoQuota, Scope: cloud.ScopeQuota},
	"VcpuLimitExceeded":                                 {Kind: cloud.NoQuota, Scope: cloud.ScopeQuota},
	"MaxSpotInstanceCountExceeded":                      {Kind: cloud.NoQuota, Scope: cloud.ScopeQuota},
	"MaxFleetCountExceeded":                             {Kind: cloud.NoQuota, Scope: cloud.ScopeQuota},
	"SpotInstanceCountLimitExceeded":                    {Kind: cloud.NoQuota, Scope: cloud.ScopeQuota},
	"VolumeLimitExceeded":                               {Kind: cloud.NoQuota, Scope: cloud.ScopeAccount},
	"MaxIOPSLimitExceeded":                              {Kind: cloud.NoQuota, Scope: cloud.ScopeAccount},
	"SnapshotLimitExceeded":                             {Kind: cloud.NoQuota, Scope: cloud.ScopeAccount},
	"NetworkInterfaceLimitExceeded":                     {Kind: cloud.NoQuota, Scope: cloud.ScopeAccount},
	"TooManyTargets":                                    {Kind: cloud.NoQuota, Scope: cloud.ScopeAccount},
	"TooManyRegistrationsForTargetId":                   {Kind: cloud.NoQuota, Scope: cloud.ScopeAccount},
	"ConcurrentSnapshotLimitExceeded":                   {Kind: cloud.Throttled, Scope: cloud.ScopeAccount}, // until one of them is done
	"SnapshotCreationPerVolumeRateExceeded":             {Kind: cloud.Throttled, Scope: cloud.ScopeAccount},
	"RequestLimitExceeded":                              {Kind: cloud.Throttled, Scope: cloud.ScopeAccount},
	"Throttling":                                        {Kind: cloud.Throttled, Scope: cloud.ScopeAccount},
	"ThrottlingException":                               {Kind: cloud.Throttled, Scope: cloud.ScopeAccount},
	"EC2ThrottledException":                             {Kind: cloud.Throttled, Scope: cloud.ScopeAccount},
	"RequestThrottled":                                  {Kind: cloud.Throttled, Scope: cloud.ScopeAccount},
	"TooManyRequestsException":                          {Kind: cloud.Throttled, Scope: cloud.ScopeAccount},
	"UnauthorizedOperation":                             {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"AccessDenied":                                      {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"AccessDeniedException":                             {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"AuthFailure":                                       {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"AuthFailure.ServiceLinkedRoleCreationNotPermitted": {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"InvalidClientTokenId":                              {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"UnrecognizedClientException":                       {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"SignatureDoesNotMatch":                             {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"InvalidAccessKeyId":                                {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"IncompleteSignature":                               {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"MissingAuthenticationToken":                        {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"ExpiredToken":                                      {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"ExpiredTokenException":                             {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"RequestExpired":                                    {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"OptInRequired":                                     {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"PendingVerification":                               {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"Blocked":                                           {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"InvalidInstanceID.NotFound":                        {Kind: cloud.Unknown},
	"InvalidInstanceID.Malformed":                       {Kind: cloud.Unknown},
	"InvalidInstanceID":                                 {Kind: cloud.Unknown},
	"InvalidLaunchTemplateId.NotFound":                  {Kind: cloud.Unknown},
	"InvalidVolume.NotFound":                            {Kind: cloud.Unknown},
	"InvalidSnapshot.NotFound":                          {Kind: cloud.Unknown},
	"InvalidNetworkInterfaceID.NotFound":                {Kind: cloud.Unknown},
	"InvalidAttachmentID.NotFound":                      {Kind: cloud.Unknown},
	"InvalidAllocationID.NotFound":                      {Kind: cloud.Unknown},
	"LoadBalancerNotFound":                              {Kind: cloud.Unknown},
	"TargetGroupNotFound":                               {Kind: cloud.Unknown},
	"InvalidLaunchTemplateId.VersionNotFound":           {Kind: cloud.Unknown},
	"ResourceContention":                                {Kind: cloud.Throttled, Scope: cloud.ScopeAccount}, // Auto Scaling is at work on that group
	"ScalingActivityInProgress":                         {Kind: cloud.Throttled, Scope: cloud.ScopeAccount},
}

// refused turns what AWS answered into a *cloud.Refusal when a caller can act on it; anything else stays an error that says which call failed. key is what the
// refusal is about within its scope: a pool, a subnet, a quota class, or else the region.
func refused(call, key string, err error) error {
	if err == nil {
		return nil
	}
	var answer smithy.APIError
	if !errors.As(err, &answer) {
		return fmt.Errorf("aws: %s: %w", call, err)
	}
	known, is := refusals[answer.ErrorCode()]
	switch {
	case !is && isServers(err, answer):
		return fmt.Errorf("aws: %w", cause(call, err))
	case !is:
		known = cloud.Refusal{Kind: cloud.BadRequest}
	}
	known.Key, known.Code, known.Message = key, answer.ErrorCode(), sentence(known.Kind, call, key, answer)
	return &known
}

// isServers reports whether AWS itself failed. EC2's answers don't say whose fault it was; the number of the answer does, once the codes that are known are out of
// the way: a dry pool is a 500 too.
func isServers(err error, answer smithy.APIError) bool {
	var response *awshttp.ResponseError
	return answer.ErrorFault() == smithy.FaultServer || serverCodes[answer.ErrorCode()] || errors.As(err, &response) && response.HTTPStatusCode() >= 500
}

var serverCodes = map[string]bool{"InternalError": true, "InternalFailure": true, "Unavailable": true, "ServiceUnavailable": true, "ServiceUnavailableException": true}

var actionForm = regexp.MustCompile(`perform: ([a-z0-9-]+:[A-Za-z]+)`)

// sentence is what a person reads. Of refused credentials AWS quotes the signed request, so nothing of its own words is kept there; an encoded message is for
// nobody's eyes.
func sentence(kind cloud.RefusalKind, call, key string, answer smithy.APIError) string {
	text, _, _ := strings.Cut(answer.ErrorMessage(), "Encoded authorization failure message")
	text = strings.TrimSpace(text)
	switch {
	case kind == cloud.Throttled:
		return fmt.Sprintf("AWS gets too many %s requests from this account; Neap slows down.", call)
	case kind == cloud.Denied && permissionCodes[answer.ErrorCode()]:
		action := call
		if named := actionForm.FindStringSubmatch(text); named != nil {
			action = named[1]
		}
		return fmt.Sprintf("AWS does not allow Neap's role %s; give the role that permission, and lift whatever denies it.", action)
	case kind == cloud.Denied && answer.ErrorCode() == "OptInRequired":
		return fmt.Sprintf("The account has not subscribed to what %s needs: the region, the service or the image's product.", call)
	case kind == cloud.Denied && (answer.ErrorCode() == "PendingVerification" || answer.ErrorCode() == "Blocked"):
		return fmt.Sprintf("AWS holds the account back (%s); its owner has to settle that with AWS.", answer.ErrorCode())
	case kind == cloud.Denied:
		return fmt.Sprintf("AWS does not take Neap's credentials for %s: they have ended, were withdrawn, or this machine's clock is wrong.", call)
	case text == "":
		return fmt.Sprintf("AWS refuses %s.", call)
	}
	return text
}

var permissionCodes = map[string]bool{
	"UnauthorizedOperation": true, "AccessDenied": true, "AccessDeniedException": true, "AuthFailure.ServiceLinkedRoleCreationNotPermitted": true,
}

// unasked is a refusal of Neap's own: AWS would refuse it too, but with fewer words.
func unasked(code, key, format string, args ...any) *cloud.Refusal {
	return &cloud.Refusal{Kind: cloud.BadRequest, Key: key, Code: code, Message: fmt.Sprintf(format, args...)}
}
