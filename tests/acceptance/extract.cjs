// node-marketo-rest, unmodified: a full lead and a full activity extract, as its users write them.
// Takes {url, clientId, clientSecret, leads, activities} as JSON; prints what came of it as JSON.
'use strict';

const Marketo = require('node-marketo-rest');

const wanted = JSON.parse(process.argv[2]);
console.log = console.error; // the library reports there, and standard output is for the answer

const marketo = new Marketo({
  endpoint: wanted.url + '/rest',
  identity: wanted.url + '/identity',
  clientId: wanted.clientId,
  clientSecret: wanted.clientSecret,
});
const patience = { maxRetries: 500, initialDelay: 20, maxDelay: 100 };
const { bulkLeadExtract: leads, bulkActivityExtract: activities } = marketo;
leads._retry._options = patience;
activities._retry._options = patience;

// All in one: create, enqueue, and wait for the end.
async function extractLeads({ fields, filter, options }) {
  const { result: [job] } = await leads.get(fields, filter, options);
  return { job, file: await leads.file(job.exportId) };
}

// The same step by step.
async function extractActivities({ filter, options }) {
  const { result: [created] } = await activities.create(filter, options);
  const { result: [queued] } = await activities.enqueue(created.exportId);
  const { result: [job] } = await activities.statusTilCompleted(created.exportId);
  const file = await activities.file(created.exportId);
  return { states: [created.status, queued.status, job.status], job, file };
}

async function cancel({ fields, filter }) {
  const { result: [{ exportId }] } = await leads.create(fields, filter);
  const { result: [cancelled] } = await leads.cancel(exportId);
  const { result: [job] } = await leads.status(exportId);
  return [cancelled.status, job.status];
}

async function refuse({ filter }) {
  try {
    await leads.create(['noSuchField'], filter);
  } catch (error) {
    return { code: error.code, errors: error.errors };
  }
  return null;
}

async function main() {
  return {
    leads: await extractLeads(wanted.leads),
    activities: await extractActivities(wanted.activities),
    cancelled: await cancel(wanted.leads),
    refused: await refuse(wanted.leads),
  };
}

main().then(
  (answer) => process.stdout.write(JSON.stringify(answer)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
