package cloud

import (
	"context"
	"time"
)

// MetricQuery asks for one statistic of one metric.
type MetricQuery struct {
	Namespace  string            `json:"namespace"` // "AWS/EC2"
	Name       string            `json:"name"`      // "CPUUtilization"
	Dimensions map[string]string `json:"dimensions,omitempty"`
	Statistic  string            `json:"statistic"`      // "Average", "Sum", "Minimum", "Maximum", "SampleCount", or a percentile: "p99", "p99.9"
	Period     time.Duration     `json:"period"`         // whole seconds: 1, 5, 10, 20, 30, or a multiple of 60
	Unit       string            `json:"unit,omitempty"` // only data of this unit: "Percent"; "" = any
}

// MetricPoint is one period's value.
type MetricPoint struct {
	At    time.Time `json:"at"` // the period's start
	Value float64   `json:"value"`
}

// Metrics is the ability to read what the cloud measured.
type Metrics interface {
	// Metrics answers each query, in order, with its points from from on and before to, oldest first. A period without data has no point, and a metric that the cloud
	// does not know has none at all. A query that can never work is a *Refusal of kind BadRequest.
	Metrics(ctx context.Context, region string, queries []MetricQuery, from, to time.Time) ([][]MetricPoint, error)
}
