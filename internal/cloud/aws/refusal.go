package aws

import (
	"errors"
	"fmt"

	"github.com/aws/smithy-go"

	"github.com/neap-cloud/neap/internal/cloud"
)

// refusals says what AWS's own words mean for a caller. Codes that stand for a broken request or a missing thing, and that are not here, are told apart by
// isFault.
var refusals = map[string]cloud.Refusal{
	"InsufficientInstanceCapacity":                      {Kind: cloud.NoCapacity, Scope: cloud.ScopePool},
	"InsufficientHostCapacity":                          {Kind: cloud.NoCapacity, Scope: cloud.ScopePool},
	"InsufficientReservedInstanceCapacity":              {Kind: cloud.NoCapacity, Scope: cloud.ScopePool},
	"InsufficientCapacity":                              {Kind: cloud.NoCapacity, Scope: cloud.ScopePool},
	"UnfulfillableCapacity":                             {Kind: cloud.NoCapacity, Scope: cloud.ScopePool},
	"SpotMaxPriceTooLow":                                {Kind: cloud.NoCapacity, Scope: cloud.ScopePool},
	"Unsupported":                                       {Kind: cloud.NoCapacity, Scope: cloud.ScopePool}, // the type is not sold in that zone
	"InsufficientFreeAddressesInSubnet":                 {Kind: cloud.NoCapacity, Scope: cloud.ScopeSubnet},
	"InstanceLimitExceeded":                             {Kind: cloud.NoQuota, Scope: cloud.ScopeQuota},
	"VcpuLimitExceeded":                                 {Kind: cloud.NoQuota, Scope: cloud.ScopeQuota},
	"MaxSpotInstanceCountExceeded":                      {Kind: cloud.NoQuota, Scope: cloud.ScopeQuota},
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
	"ExpiredToken":                                      {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"ExpiredTokenException":                             {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"RequestExpired":                                    {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"OptInRequired":                                     {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"PendingVerification":                               {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"Blocked":                                           {Kind: cloud.Denied, Scope: cloud.ScopeAccount},
	"InvalidInstanceID.NotFound":                        {Kind: cloud.Unknown},
	"InvalidInstanceID.Malformed":                       {Kind: cloud.Unknown},
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
	if !is && answer.ErrorFault() == smithy.FaultServer {
		return fmt.Errorf("aws: %w", cause(call, err))
	}
	if !is {
		known = cloud.Refusal{Kind: cloud.BadRequest}
	}
	known.Key, known.Code, known.Message = key, answer.ErrorCode(), answer.ErrorMessage()
	return &known
}
