import type * as ClassValidator from 'class-validator';

/**
 * What settings need of class-validator, each from its own file: the package's index also loads a hundred other checks, telephone numbers
 * of the world among them, which every start would wait for and every process keep (70 ms and 10 MB). A test holds that they are there.
 */
function part<Name extends keyof typeof ClassValidator>(file: string, name: Name): (typeof ClassValidator)[Name] {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return (require(`class-validator/cjs/${file}.js`) as typeof ClassValidator)[name];
}

export const IsBoolean = part('decorator/typechecker/IsBoolean', 'IsBoolean');
export const IsIn = part('decorator/common/IsIn', 'IsIn');
export const IsInt = part('decorator/typechecker/IsInt', 'IsInt');
export const IsOptional = part('decorator/common/IsOptional', 'IsOptional');
export const Max = part('decorator/number/Max', 'Max');
export const Min = part('decorator/number/Min', 'Min');
export const ValidateBy = part('decorator/common/ValidateBy', 'ValidateBy');
export const buildMessage = part('decorator/common/ValidateBy', 'buildMessage');
export const Validator = part('validation/Validator', 'Validator');
