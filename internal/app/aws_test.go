package app_test

import (
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/app"
)

func TestAWSInitWritesATemplateWithoutCallingAnybody(t *testing.T) {
	text, err := app.AWSInit(app.AWSSetup{Regions: []string{"eu-west-1"}})
	if err != nil || !strings.Contains(text, "AWS::SQS::Queue") || !strings.Contains(text, "ec2:DescribeSpotPriceHistory") {
		t.Errorf("%v: %s", err, text)
	}
}
