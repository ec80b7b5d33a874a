/* Runs with a store that the fixture keeps. */
#pragma once

#include <json-glib/json-glib.h>

#include "fixture.h"
#include "pipeline/metrics.h"
#include "pipeline/run.h"

/* One run of a pipeline with the fixture's store. */
typedef struct {
  LbProblems *problems;
  LbPipeline *pipeline;
  LbPlan *plan;
  LbStore *store;
  LbRun *run;
  char *output;
} Job;

/* What a run is made from. */
static inline void
job_plan (Job *job, Fixture *fixture, const char *text)
{
  job->problems = lb_problems_new ("p.yaml");
  job->pipeline = lb_pipeline_parse ("dir/p.yaml", text, strlen (text), NULL, job->problems);
  job->plan = lb_plan_new (job->pipeline, fixture->registry, job->problems);
  lb_plan_configure (job->plan, job->problems);
  g_autofree char *told = lb_problems_to_text (job->problems);
  g_assert_cmpstr (told, ==, "");
}

/* The run itself, of the plan as it is now. */
static inline void
job_begin (Job *job, Fixture *fixture, const char *output)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *place = g_build_filename (fixture->directory, "store", NULL);
  job->store = lb_store_open (place, &error);
  g_assert_no_error (error);
  job->output = g_build_filename (fixture->directory, output, NULL);
  LbRunSettings settings = { .output_directory = job->output,
                             .threads = 2,
                             .arithmetic = "by hand",
                             .store = job->store,
                             .checkpoint_interval = 0.001 };
  job->run = lb_run_new (job->plan, &settings, &error);
  g_assert_no_error (error);
}

static inline void
job_set_up (Job *job, Fixture *fixture, const char *text, const char *output)
{
  job_plan (job, fixture, text);
  job_begin (job, fixture, output);
}

static inline void
job_tear_down (Job *job)
{
  lb_run_free (job->run);
  lb_store_free (job->store);
  lb_plan_free (job->plan);
  lb_pipeline_free (job->pipeline);
  lb_problems_free (job->problems);
  g_free (job->output);
}

static inline void
job_execute (Job *job)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (lb_run_execute (job->run, NULL, &error));
  g_assert_no_error (error);
}

/* The words for what was done with each stage: "run reused". */
static inline char *
outcomes (const Job *job)
{
  g_autoptr (GString) words = g_string_new (NULL);
  for (guint i = 0; i < job->plan->n_stages; i++)
    g_string_append_printf (words, "%s%s", i > 0 ? " " : "", lb_reuse_word (lb_run_outcome (job->run, i)));
  return g_strdup (words->str);
}

/* metrics.json without its timing. */
static inline char *
reproducible_part (const Job *job)
{
  g_autofree char *text = read_text (job->output, "metrics.json");
  g_autoptr (JsonNode) root = json_from_string (text, NULL);
  json_object_remove_member (json_node_get_object (root), "timing");
  return json_to_string (root, FALSE);
}

/* Runs @text and returns the outcomes; @metrics and @result (the file end.txt) may be NULL. */
static inline char *
run_once (Fixture *fixture, const char *text, const char *output, char **metrics, char **result)
{
  Job job = { 0 };
  job_set_up (&job, fixture, text, output);
  job_execute (&job);
  char *words = outcomes (&job);
  if (metrics != NULL)
    *metrics = reproducible_part (&job);
  if (result != NULL)
    *result = read_text (job.output, "end.txt");
  job_tear_down (&job);
  return words;
}
