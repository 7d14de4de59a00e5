package aws

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/neap-cloud/neap/internal/cloud"
)

var _ cloud.Consoler = (*Account)(nil)

// ConsoleOutput is cloud.Consoler's. Instances on Nitro are asked for their newest output; of the others EC2 keeps what it last took down, and refuses the question for more.
func (a *Account) ConsoleOutput(ctx context.Context, region, id string) (string, time.Time, error) {
	shown, err := a.console(ctx, region, id, true)
	if refusal, is := errors.AsType[*cloud.Refusal](err); is && refusal.Code == "UnsupportedOperation" {
		shown, err = a.console(ctx, region, id, false)
	}
	if err != nil {
		return "", time.Time{}, err
	}
	text, err := base64.StdEncoding.DecodeString(awssdk.ToString(shown.Output))
	return string(text), awssdk.ToTime(shown.Timestamp), err
}

func (a *Account) console(ctx context.Context, region, id string, newest bool) (*ec2.GetConsoleOutputOutput, error) {
	in := &ec2.GetConsoleOutputInput{InstanceId: &id}
	if newest {
		in.Latest = &newest
	}
	shown, err := a.in(region).ec2.GetConsoleOutput(ctx, in)
	return shown, refused("GetConsoleOutput", region, err)
}
