package aws

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/neap-cloud/neap/internal/cloud"
)

const metricsAtOnce = 500 // queries of one call

// Metrics is cloud.Metrics': 500 queries a call, and each call's pages to the end.
func (a *Account) Metrics(ctx context.Context, region string, queries []cloud.MetricQuery, from, to time.Time) ([][]cloud.MetricPoint, error) {
	all := make([][]cloud.MetricPoint, 0, len(queries))
	for chunk := range slices.Chunk(queries, metricsAtOnce) {
		answers, err := a.in(region).metrics(ctx, chunk, from, to)
		if err != nil {
			return nil, err
		}
		all = append(all, answers...)
	}
	return all, nil
}

func (r *region) metrics(ctx context.Context, queries []cloud.MetricQuery, from, to time.Time) ([][]cloud.MetricPoint, error) {
	in := &cloudwatch.GetMetricDataInput{StartTime: &from, EndTime: &to, ScanBy: types.ScanByTimestampAscending}
	places := map[string]int{}
	for n, q := range queries {
		id := "q" + strconv.Itoa(n)
		places[id] = n
		in.MetricDataQueries = append(in.MetricDataQueries, metricQuery(id, q))
	}
	results, err := pages(func(token *string) ([]types.MetricDataResult, *string, error) {
		in.NextToken = token
		page, err := r.watch.GetMetricData(ctx, in)
		if err != nil {
			return nil, nil, refused("GetMetricData", r.name, err)
		}
		return page.MetricDataResults, page.NextToken, nil
	})
	if err != nil {
		return nil, err
	}
	answers := make([][]cloud.MetricPoint, len(queries))
	for _, result := range results {
		n, is := places[awssdk.ToString(result.Id)]
		if !is {
			continue
		}
		if err := r.metricTrouble(queries[n], result.StatusCode); err != nil {
			return nil, err
		}
		for i := range min(len(result.Timestamps), len(result.Values)) {
			answers[n] = append(answers[n], cloud.MetricPoint{At: result.Timestamps[i], Value: result.Values[i]})
		}
	}
	for _, points := range answers { // each page is in order, and the pages need not be
		slices.SortFunc(points, func(a, b cloud.MetricPoint) int { return a.At.Compare(b.At) })
	}
	return answers, nil
}

// metricTrouble is what CloudWatch says of one query among others that it answers.
func (r *region) metricTrouble(q cloud.MetricQuery, status types.StatusCode) error {
	switch status {
	case types.StatusCodeForbidden:
		return &cloud.Refusal{
			Kind: cloud.Denied, Scope: cloud.ScopeAccount, Key: r.name, Code: string(status),
			Message: fmt.Sprintf("AWS does not allow Neap's role to read the metric %s of %s; give the role cloudwatch:GetMetricData.", q.Name, q.Namespace),
		}
	case types.StatusCodeInternalError:
		return fmt.Errorf("aws: GetMetricData: CloudWatch could not read the metric %s of %s; it will be asked again", q.Name, q.Namespace)
	}
	return nil // complete, or with more on the next page
}

func metricQuery(id string, q cloud.MetricQuery) types.MetricDataQuery {
	metric := &types.Metric{Namespace: &q.Namespace, MetricName: &q.Name}
	for _, name := range slices.Sorted(maps.Keys(q.Dimensions)) {
		metric.Dimensions = append(metric.Dimensions, types.Dimension{Name: &name, Value: awssdk.String(q.Dimensions[name])})
	}
	return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{
		Metric: metric, Period: awssdk.Int32(int32(q.Period / time.Second)), Stat: &q.Statistic, Unit: types.StandardUnit(q.Unit),
	}}
}

var _ cloud.Metrics = (*Account)(nil)
