package elastigroup

import (
	"encoding/base64"
	"strings"

	"github.com/neap-cloud/neap/internal/fleet/plan"
)

const launchPath = "compute.launchSpecification"

// health reads the health check. Only the cloud's own instance status is watched so far; another check is kept, and nothing is replaced for it.
func (c *compiler) health() plan.Health {
	given := c.doc.Compute.Launch
	health := plan.Health{
		Grace:        c.seconds(launchPath+".healthCheckGracePeriod", given.HealthCheckGrace, 300),
		UnhealthyFor: c.seconds(launchPath+".healthCheckUnhealthyDurationBeforeReplacement", given.UnhealthyFor, 120),
		Heal:         given.AutoHealing == nil || *given.AutoHealing,
	}
	switch given.HealthCheckType {
	case "":
	case "EC2":
		health.Source = plan.HealthInstance
	default:
		c.kept = append(c.kept, "group."+launchPath+".healthCheckType")
	}
	return health
}

// template reads what every instance gets.
func (c *compiler) template() plan.Template {
	given := c.doc.Compute.Launch
	template := plan.Template{
		Image:          c.image(),
		KeyPair:        given.KeyPair,
		SecurityGroups: given.SecurityGroupIDs,
		UserData:       given.UserData,
		Role:           given.Role.ARN,
		Tenancy:        given.Tenancy,
		Monitoring:     given.Monitoring,
		EBSOptimized:   given.EBSOptimized,
		Tags:           c.tags(),
	}
	if template.Role == "" {
		template.Role = given.Role.Name
	}
	for _, card := range given.NetworkInterfaces {
		if card.DeviceIndex == 0 && card.PublicIP != nil {
			template.PublicIP = card.PublicIP
		}
	}
	c.script("userData", given.UserData)
	c.script("shutdownScript", given.ShutdownScript)
	return template
}

// image is imageId, or the first of images when that is left out.
func (c *compiler) image() string {
	given := c.doc.Compute.Launch
	if len(given.Images) > 1 || given.ImageID != "" && len(given.Images) > 0 {
		c.kept = append(c.kept, "group."+launchPath+".images")
	}
	switch {
	case given.ImageID != "":
		return given.ImageID
	case len(given.Images) > 0 && given.Images[0].ID != "":
		return given.Images[0].ID
	}
	c.wrong(launchPath+".imageId", "Instances need an image; give imageId, such as \"ami-0abc1234\", or images.")
	return ""
}

// scriptLimit is what the cloud takes, before encoding.
const scriptLimit = 16 << 10

func (c *compiler) script(name, text string) {
	raw, err := base64.StdEncoding.DecodeString(text)
	switch {
	case err != nil:
		c.wrong(launchPath+"."+name, "This is not base64; encode the script, for instance with base64 -w0.")
	case len(raw) > scriptLimit:
		c.wrong(launchPath+"."+name, "The script has %d bytes, the cloud takes %d; fetch the rest from within it.", len(raw), scriptLimit)
	}
}

func (c *compiler) tags() []plan.Tag {
	var tags []plan.Tag
	seen := map[string]bool{}
	for i, tag := range c.doc.Compute.Launch.Tags {
		path := at(launchPath+".tags", i, "tagKey")
		switch {
		case tag.Key == "":
			c.wrong(path, "A tag needs a key.")
		case seen[tag.Key]:
			c.wrong(path, "The key %q is given twice; give it once.", tag.Key)
		case strings.HasPrefix(strings.ToLower(tag.Key), "aws:"):
			c.wrong(path, "Keys that begin with aws: belong to the cloud; choose another.")
		}
		seen[tag.Key] = true
		tags = append(tags, plan.Tag{Key: tag.Key, Value: tag.Value})
	}
	return tags
}

// scaling checks what is not acted on yet but would contradict itself.
func (c *compiler) scaling() {
	for _, list := range []struct {
		path     string
		policies []policy
	}{{"scaling.up", c.doc.Scaling.Up}, {"scaling.down", c.doc.Scaling.Down}} {
		for i, p := range list.policies {
			hasAction := len(p.Action) > 0 && string(p.Action) != "null"
			if len(p.Steps) > 0 && (p.Threshold != nil || hasAction) {
				c.wrong(at(list.path, i, "stepAdjustments"), "Steps bring their own thresholds and actions; leave out the policy's threshold and action, or the steps.")
			}
		}
	}
	for i, task := range c.doc.Scheduling.Tasks {
		if task.CronExpression != "" && task.Frequency != "" {
			c.wrong(at("scheduling.tasks", i, "frequency"), "A task takes cronExpression or frequency, not both.")
		}
	}
}
