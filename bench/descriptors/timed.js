// What every loop in JavaScript has in common: a while to be compiled, then so many milliseconds that count. The compiler
// works beside the loop and wants a processor of its own: where two processes have two processors, a fifth of the time was
// not enough for it, and those with the most code beside the calls paid for that.

/** Runs `roundTrip` for `milliseconds` uncounted, then for as long again; prints what the benchmark reads. */
export function timeLoop(milliseconds, roundTrip) {
  runFor(milliseconds, roundTrip);
  print(runFor(milliseconds, roundTrip));
}

/** The same for a round trip that has to be awaited. */
export async function timeAwaitedLoop(milliseconds, roundTrip) {
  // The process at the other end has to have started.
  await roundTrip();
  await awaitFor(milliseconds, roundTrip);
  print(await awaitFor(milliseconds, roundTrip));
}

function runFor(milliseconds, roundTrip) {
  const used = process.cpuUsage();
  const begun = process.hrtime.bigint();
  const end = begun + BigInt(Math.round(milliseconds * 1e6));
  let roundTrips = 0;
  let now = begun;
  do {
    roundTrip();
    roundTrips++;
    now = process.hrtime.bigint();
  } while (now < end);
  const { user, system } = process.cpuUsage(used);
  return { roundTrips, nanoseconds: Number(now - begun), processor: (user + system) * 1000 };
}

async function awaitFor(milliseconds, roundTrip) {
  const used = process.cpuUsage();
  const begun = process.hrtime.bigint();
  const end = begun + BigInt(Math.round(milliseconds * 1e6));
  let roundTrips = 0;
  let now = begun;
  do {
    await roundTrip();
    roundTrips++;
    now = process.hrtime.bigint();
  } while (now < end);
  const { user, system } = process.cpuUsage(used);
  return { roundTrips, nanoseconds: Number(now - begun), processor: (user + system) * 1000 };
}

function print(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
