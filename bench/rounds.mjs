// Measures all cells once per round, in turn, so that whatever else the machine does meets all of them.

/** @returns the cells as the results file has them: without functions, with the results of each number of connections */
export async function measureInRounds(stage, cells, { rounds, connections, seconds }) {
  const measured = cells.map(({ id, group, name, beside, floor, aim, isYardstick = false }) => {
    return { id, group, name, beside, floor, aim, isYardstick, results: {} };
  });
  const prepared = new Map();
  const partOf = (name) => (name === 'database' ? { address: stage.address } : stage.part(name));
  const prepare = async ({ prepare: make, on, needs = on }) => {
    const target = await partOf(needs);
    if (!make || target.absent) return;
    // What several services share lies in their one database.
    if (!prepared.has(make)) prepared.set(make, make(target));
    await prepared.get(make);
  };
  const counts = [...new Set(cells.flatMap((cell) => cell.connections ?? connections))].sort((a, b) => a - b);
  for (let round = 1; round <= rounds; round++) {
    for (const count of counts) {
      for (const [index, cell] of cells.entries()) {
        if (!(cell.connections ?? connections).includes(count)) continue;
        await prepare(cell);
        const part = await partOf(cell.on);
        if (part.absent) {
          measured[index].absent = part.absent;
          continue;
        }
        const result = await cell.run(part, { connections: count, seconds, pid: part.pid });
        (measured[index].results[count] ??= []).push(result);
        report(round, cell, count, result);
      }
    }
  }
  return measured;
}

function report(round, { name }, connections, { perSecond, ...rest }) {
  process.stderr.write(
    `round ${round}  ${name.padEnd(40)} ${String(connections).padStart(3)} ${String(perSecond).padStart(8)}/s  ${JSON.stringify(rest)}\n`,
  );
}
